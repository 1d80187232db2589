# Each recipe is the script of the same name, whose header says what it does.
# Paths in arguments are relative to the folder that just was called from.

set positional-arguments

# a whole ceremony on embedded tokens; arguments go to `ceremony rehearse`
[no-cd]
@rehearse *arguments:
    '{{justfile_directory()}}/scripts/rehearse' "$@"

# everything, or only `go test -race` with the arguments
@test *arguments:
    scripts/test "$@"

# everything that judges the code without running it
@lint:
    scripts/lint

# bin/ceremony
@build:
    scripts/build

# every benchmark once
@bench *arguments:
    scripts/bench "$@"

# ceremony, go-tuf and python-tuf side by side, up to a million targets
@bench-scale *arguments:
    scripts/bench-scale "$@"
