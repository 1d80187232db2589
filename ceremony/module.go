package main

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
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

// registers are the folders in which packages and a machine's owner say which
// PKCS#11 modules there are (pkcs11.conf(5) of p11-kit), and where a module
// lies that is named without a path.
var (
	registers    = []string{"/usr/share/p11-kit/modules", "/etc/pkcs11/modules"}
	moduleFolder = []string{"/usr/lib/*/pkcs11", "/usr/lib/pkcs11", "/usr/lib64/pkcs11"}
)

// registeredModules lists the modules that are registered on this machine, by
// their paths, but for those that bring certificates to trust and no keys. The
// other fields say how p11-kit itself uses them.
func registeredModules() []string {
	var modules []string
	for _, register := range registers {
		files, _ := filepath.Glob(filepath.Join(register, "*.module"))
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				continue
			}
			fields := map[string]string{}
			for line := range strings.Lines(string(text)) {
				name, value, _ := strings.Cut(line, ":")
				fields[strings.TrimSpace(name)] = strings.TrimSpace(value)
			}
			if name := fields["module"]; name != "" && fields["trust-policy"] != "yes" {
				modules = append(modules, modulePaths(name)...)
			}
		}
	}
	slices.Sort(modules)
	return slices.Compact(modules)
}

func modulePaths(name string) []string {
	if filepath.IsAbs(name) {
		return []string{name}
	}
	for _, folder := range moduleFolder {
		if found, _ := filepath.Glob(filepath.Join(folder, name)); len(found) > 0 {
			return found[:1]
		}
	}
	return nil
}

// resolved is a path without links: a module may be registered under another
// name than the plan's.
func resolved(path string) string {
	if file, err := filepath.EvalSymlinks(path); err == nil {
		return file
	}
	return path
}
