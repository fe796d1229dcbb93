# shellcheck shell=bash
# Sourced by the other scripts: one line when a stage starts, one with its duration when it ends.

stage() { # stage NAME COMMAND…: run it, tell how long it took
    local name=$1 started=$SECONDS status=0
    shift
    printf '==> %s\n' "$name"
    "$@" || status=$?
    if [ "$status" -ne 0 ]; then
        printf '==> %s: failed after %d s\n' "$name" $((SECONDS - started)) >&2
        return "$status"
    fi
    printf '==> %s: %d s\n' "$name" $((SECONDS - started))
}

skip() { printf '==> %s: nothing changed\n' "$1"; }

die() {
    printf 'build.sh: %s\n' "$1" >&2
    exit "${2:-1}"
}

# tree_hash PATH…: one hash of names, run bits and content of all files below the paths
tree_hash() {
    find "$@" -type f -not -path '*/__pycache__/*' -printf '%p %m\n' | LC_ALL=C sort | sha256sum
    find "$@" -type f -not -path '*/__pycache__/*' -print0 | LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum
}
