#!/usr/bin/env bash
# The gateway's image in three stages, each repeated only when what it is made of changed:
#   base   the Debian system, by diskimage-builder      elements/, cloud-init/
#   tree   the base with the Python environment in it   requirements/runtime.lock, appliance/, kawaii_shell/
#   disk   the tree as a bootable disk, its manifest, SBOM and checksums
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/progress.sh

readonly CACHE=.cache/image IMAGE=build/kawaii-gateway.qcow2 TREE=build/tree

key_of() { sha256sum | cut -c1-20; }

base_key=$({
    tree_hash elements cloud-init/*.cfg cloud-init/*.py scripts/base.sh
    grep '^diskimage-builder==' requirements/dev.lock
    echo "${KAWAII_IMAGE_MIRROR:-} ${KAWAII_IMAGE_SECURITY_MIRROR:-}"
} | key_of)
tree_key=$({
    echo "$base_key"
    tree_hash appliance kawaii_shell requirements/runtime.lock scripts/tree.sh
    grep '^version' pyproject.toml
} | key_of)
disk_key=$({
    echo "$tree_key ${KAWAII_SLOT_MB:-}"
    tree_hash scripts/assemble.sh scripts/manifest.py
} | key_of)
readonly base_key tree_key disk_key BASE=$CACHE/base-$base_key.tar

stamped() { [ -f "$1" ] && [ "$(cat "$1")" = "$2" ]; }

build_base() {
    scripts/base.sh "$PWD/$BASE"
    # The one before this one stays, for going back and forth between two branches.
    find "$CACHE" -maxdepth 1 -name 'base-*.tar' -printf '%T@ %p\n' | sort -rn | tail -n +3 | cut -d' ' -f2- | xargs -r rm -f
}

build_tree() {
    rm -f build/.tree
    scripts/tree.sh "$BASE" "$TREE"
    echo "$tree_key" >build/.tree
}

build_disk() {
    rm -f build/.disk
    scripts/assemble.sh "$TREE" "$IMAGE"
    python3 scripts/manifest.py "$TREE" "$IMAGE"
    echo "$disk_key" >build/.disk
}

[ "$(id -u)" -eq 0 ] || die "the image is built as root: it has files of other owners"
mkdir -p build "$CACHE"
exec 9>"$CACHE/lock"
flock -n 9 || stage "another build is running" flock 9

if [ -f "$BASE" ]; then skip "base system"; else stage "base system (diskimage-builder, about a minute)" build_base; fi
if stamped build/.tree "$tree_key"; then skip "system tree"; else stage "system tree" build_tree; fi
if stamped build/.disk "$disk_key" && [ -f "$IMAGE" ]; then skip "disk image"; else stage "disk image" build_disk; fi
printf '%s: %s MiB, %s MiB of system\n' "$IMAGE" "$(du -m "$IMAGE" | cut -f1)" "$(du -sm "$TREE" | cut -f1)"
