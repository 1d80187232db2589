# shellcheck shell=sh
# lib.sh: what the scripts share. Sourced, never run:
#
#	. "$(dirname -- "$0")/lib.sh"
#
# It sets root, the folder of the checkout, from wherever the script was
# called. It leaves the working directory alone and installs nothing.

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd -P)
me=scripts/$(basename -- "$0")

say() {
	printf '%s: %s\n' "$me" "$*" >&2
}

# die ERROR [HINT]... ends the script, and says how to go on.
die() {
	say "error: $1"
	shift
	for hint; do say "hint: $hint"; done
	exit 1
}

# need_go ends the script unless there is a Go that can build the module.
need_go() {
	wanted=$(sed -n 's/^go //p' "$root/go.mod")
	go_hint="install Go $wanted or newer: https://go.dev/doc/install (Debian 12's own package is too old)"
	# Where Go's instructions put it; a fresh shell may not look there.
	if ! command -v go >/dev/null && [ -x /usr/local/go/bin/go ]; then
		PATH=$PATH:/usr/local/go/bin
		export PATH
	fi
	command -v go >/dev/null || die "Go is neither in PATH nor in /usr/local/go" "$go_hint"
	# Go compares its version with go.mod's itself, and fetches a newer one
	# where it may; a Go too old for that cannot even read the file.
	words=$(cd -- "$root" && go list -m 2>&1) ||
		die "$(cd / && go env GOVERSION) cannot work with go.mod, which asks for Go $wanted: $(echo "$words" | tr '\n' ' ')" \
			"$go_hint"
}

# unformatted names the Go files that gofmt would change.
unformatted() {
	(cd -- "$root" && find . \( -name '.?*' -o -path ./bin \) -prune -o \
		-name '*.go' -exec "$(go env GOROOT)/bin/gofmt" -l {} +)
}

# find_python names a Python that can make a virtual environment. Debian's own
# cannot before python3-venv is there; another one in PATH may.
find_python() {
	for candidate in python3 /usr/bin/python3; do
		if "$candidate" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 9))' 2>/dev/null; then
			command -v "$candidate"
			return
		fi
	done
	return 1
}

# find_library FILE names a library, a module say, where systems keep them.
find_library() {
	for place in /usr/lib/*/pkcs11 /usr/lib/pkcs11 /usr/lib64/pkcs11 /usr/lib/softhsm /usr/lib/*/softhsm \
		/usr/lib/* /usr/lib /usr/lib64 /usr/local/lib /usr/local/lib/softhsm; do
		if [ -e "$place/$1" ]; then
			echo "$place/$1"
			return
		fi
	done
	return 1
}
