#!/usr/bin/env bash
# base.sh OUT.tar: the system without our Python code, by diskimage-builder from elements/.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/progress.sh

readonly OUT=$1
SOURCE=$(pwd)
CACHE=$SOURCE/.cache/image
WORK=$CACHE/work

# The mirrors that this machine itself uses, main archive first; no name of one stands in the tree.
machine_mirror() { # machine_mirror main|security
    local pattern='/debian/?$' security='-security/?$|security\.'
    { cat /etc/apt/sources.list.d/*.sources 2>/dev/null | sed -n 's/^URIs: *//p'
      cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list 2>/dev/null | sed -n 's/^deb \(\[[^]]*\] \)\?\([^ ]*\) .*/\2/p'; } |
        tr ' ' '\n' | if [ "$1" = main ]; then grep -E "$pattern"; else grep -E "$security"; fi | head -n 1
}

# A failed build leaves its tmpfs mounts, with the chroot's own mounts inside: deepest first.
clean_up() {
    awk '{print $2}' /proc/mounts | { grep "^$WORK/" || true; } | sort -r | while read -r mounted; do
        umount -l "$mounted" || true
    done
    rm -rf --one-file-system "$WORK"
}

DIB_DISTRIBUTION_MIRROR=${KAWAII_MIRROR:-$(machine_mirror main || true)}
DIB_DEBIAN_SECURITY_MIRROR=${KAWAII_SECURITY_MIRROR:-$(machine_mirror security || true)}
[ -n "$DIB_DISTRIBUTION_MIRROR" ] || die "no Debian mirror in the machine's apt sources: set KAWAII_MIRROR"
[ -n "$DIB_DEBIAN_SECURITY_MIRROR" ] || die "no Debian security mirror in the machine's apt sources: set KAWAII_SECURITY_MIRROR"
export DIB_DISTRIBUTION_MIRROR DIB_DEBIAN_SECURITY_MIRROR
export DIB_RELEASE=trixie KAWAII_SOURCE=$SOURCE
export DIB_IMAGE_CACHE=$CACHE/dib DIB_LOCKFILES=$CACHE/locks
export DIB_DEBOOTSTRAP_CACHE=1 DIB_DEBIAN_USE_DEBOOTSTRAP_CACHE=1
export ELEMENTS_PATH=$SOURCE/elements
export TMP_DIR=$WORK PATH=$SOURCE/.venv/bin:/usr/sbin:/sbin:$PATH
export DIB_MANIFEST_SAVE_DIR=$WORK/manifests
# Python's own switches of the caller would reach the chroot's interpreter.
unset PYTHONPATH PYTHONHOME

trap clean_up EXIT
clean_up
mkdir -p "$WORK" "$DIB_IMAGE_CACHE" "$DIB_LOCKFILES"
disk-image-create -n -a amd64 -t tar --no-tmpfs -o "$WORK/base" kawaii-gateway no-final-image >"$CACHE/base.log" 2>&1 ||
    { tail -n 40 "$CACHE/base.log" >&2; die "diskimage-builder failed; its log is $CACHE/base.log"; }
mv "$WORK/base.tar" "$OUT"
