//go:build !linux

package main

func notePeak() {}
