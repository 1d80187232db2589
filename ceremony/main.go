// Command ceremony is the toolkit with which people sign the top of a TUF
// repository, offline.
//
// One file a subcommand; what they do is in internal/, one package a stage.
// This package alone speaks to people and joins the stages to the devices in
// hsm/. The rehearsal runs these very commands, with another environment.
package main

import (
	"os"
)

// version is set by scripts/build.
var version = "devel"

func main() { os.Exit(start(os.Args[1:], system())) }
