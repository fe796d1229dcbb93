#!/usr/bin/env bash
# tree.sh BASE.tar TREE: the system's tree with the locked Python environment and this checkout's code in /opt/kawaii.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/progress.sh

readonly BASE=$1 TREE=$2
readonly VERSION=3.13
readonly SITE=$TREE/opt/kawaii/lib/python$VERSION/site-packages

rm -rf --one-file-system "$TREE"
mkdir -p "$TREE"
tar -C "$TREE" --numeric-owner --xattrs --xattrs-include='*' -xf "$BASE"

# What diskimage-builder adds after its last hook, or leaves out of the tar.
mkdir -p "$TREE/proc" "$TREE/sys"
rm -rf "$TREE/etc/dib-manifests" "$TREE/lost+found" "$TREE/usr/local/bin/dib-init-system"
rm -f "$TREE/etc/resolv.conf" "$TREE/etc/resolv.conf.ORIG"
install -m 0644 /dev/null "$TREE/etc/resolv.conf"
# Empty, not "uninitialized": each gateway gets its own, but its units are those enabled here, no first boot's presets.
: >"$TREE/etc/machine-id"

# Wheels for the image's Python, not this machine's; none is built from source.
mkdir -p "$SITE" "$TREE/opt/kawaii/bin"
.cache/uv/bin/uv pip install --quiet --target "$SITE" --python-version "$VERSION" --python-platform x86_64-manylinux_2_28 \
    --only-binary :all: --no-compile-bytecode --require-hashes -r requirements/runtime.lock
rm -rf "${SITE:?}/bin" "$SITE/.lock"
ln -s "/usr/bin/python$VERSION" "$TREE/opt/kawaii/bin/python3"
printf 'home = /usr/bin\ninclude-system-site-packages = false\nversion = %s\n' "$VERSION" >"$TREE/opt/kawaii/pyvenv.cfg"

version=$(sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)
tar --exclude=__pycache__ -cf - appliance kawaii_shell | tar -C "$SITE" --no-same-owner -xf -
mkdir -p "$SITE/kawaii_gateway-$version.dist-info"
printf 'Metadata-Version: 2.1\nName: kawaii-gateway\nVersion: %s\n' "$version" >"$SITE/kawaii_gateway-$version.dist-info/METADATA"
chown -R 0:0 "$TREE/opt/kawaii"
chmod -R u=rwX,go=rX "$TREE/opt/kawaii"

# Byte code that is trusted by its presence: no look at the sources at start, none written at run time.
chroot "$TREE" /opt/kawaii/bin/python3 -m compileall -q -j 2 --invalidation-mode unchecked-hash "/opt/kawaii/lib/python$VERSION"
# cloud-init runs at every boot too; with root's umask its byte code would be written on first use.
chroot "$TREE" /usr/bin/python3 -m compileall -q -j 2 --invalidation-mode unchecked-hash /usr/lib/python3/dist-packages "/usr/lib/python$VERSION"

# Caches of libraries, hardware and message catalogues are made: nothing is to be updated at first boot.
touch "$TREE/etc/.updated" "$TREE/var/.updated"

# The daemon's and the console's entry points import, in the image's own Python.
chroot "$TREE" /opt/kawaii/bin/python3 -I -c 'import pydantic, starlette, uvicorn, pyroute2, vici, yaml, jinja2, prompt_toolkit'
