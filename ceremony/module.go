package main

import (
	"fmt"
	"path/filepath"
	"runtime"
	"strings"

	"tufceremony/hsm/pkcs11/uri"
)

// libraryFolders are where modules that a machine's owner has installed lie.
var libraryFolders = map[string][]string{
	"linux":   {"/usr/lib", "/usr/lib64", "/usr/local/lib", "/lib", "/lib64", "/opt", "/nix/store", "/run/current-system"},
	"darwin":  {"/usr/lib", "/usr/local/lib", "/Library", "/opt"},
	"windows": {`C:\Windows\System32`, `C:\Program Files`, `C:\Program Files (x86)`},
}

// trustedModule refuses to load a module from where a plan could have brought
// it. A module is code that runs in this process, and the plan comes on a stick
// that anybody may have written to: what it names must have been installed on
// this machine. A path that somebody types here is theirs to answer for.
func trustedModule(text string, typed bool) error {
	if typed || !strings.HasPrefix(text, "pkcs11:") {
		return nil
	}
	u, err := uri.Parse(text)
	if err != nil {
		return err
	}
	path, err := filepath.EvalSymlinks(u.ModulePath)
	if err != nil {
		return hint(fmt.Errorf("finding the module %q: no such file on this machine", u.ModulePath), "install the module, or say where it is with --uri")
	}
	for _, folder := range libraryFolders[runtime.GOOS] {
		if real, err := filepath.EvalSymlinks(folder); err == nil && strings.HasPrefix(path, real+string(filepath.Separator)) {
			return nil
		}
	}
	return hint(fmt.Errorf("loading the module %q: it lies in none of this machine's library folders, and the plan may not bring code of its own", u.ModulePath),
		"have the owner of this machine install the module where libraries are")
}
