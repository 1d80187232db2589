// Package piv signs with keys in the PIV application of YubiKeys.
package piv
