#!/usr/bin/env bash
# The Debian packages and the locked Python environment in .venv/; a fraction of a second when nothing changed.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/progress.sh

readonly STAMP=.venv/.kawaii-environment
readonly UV=.cache/uv/bin/uv

missing_packages() {
    sed -e 's/#.*//' -e '/^ *$/d' scripts/debian-packages.txt | while read -r package; do
        case $(dpkg-query --show --showformat='${db:Status-Abbrev}' "$package" 2>/dev/null) in
            ii*) ;;
            *) printf '%s\n' "$package" ;;
        esac
    done
}

# Daemons are started by the lab, in namespaces: none may start on the machine itself because it was installed.
install_packages() {
    local policy=/usr/sbin/policy-rc.d ours=
    [ "$(id -u)" -eq 0 ] || die "these Debian packages are missing, and only root can install them: $*"
    if [ ! -e "$policy" ]; then
        printf '#!/bin/sh\nexit 101\n' >"$policy"
        chmod 0755 "$policy"
        ours=yes
        trap 'rm -f /usr/sbin/policy-rc.d' EXIT
    fi
    export DEBIAN_FRONTEND=noninteractive
    apt-get -q -q update
    apt-get -q -q install -y --no-install-recommends -o Dpkg::Use-Pty=0 "$@" >.cache/apt.log 2>&1 ||
        { tail -n 30 .cache/apt.log >&2 && die "apt-get could not install: $*"; }
    if [ -n "$ours" ]; then
        rm -f "$policy"
        trap - EXIT
    fi
}

# The first Python that the project supports: the one in front on PATH may be too old.
find_python() {
    local candidate
    for candidate in python3 python3.11 python3.12 python3.13 /usr/bin/python3; do
        if "$candidate" -c 'import sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            command -v "$candidate"
            return
        fi
    done
    die "no Python of version 3.11 or later here"
}

install_python_environment() {
    local python
    python=$(find_python)
    if ! [ -x "$UV" ] || [ "uv $(sed -n 's/^uv==\([^ ]*\).*/\1/p' requirements/uv.txt)" != "$("$UV" --version | cut -d' ' -f1-2)" ]; then
        "$python" -m venv --clear .cache/uv
        .cache/uv/bin/python -m pip install --quiet --disable-pip-version-check -r requirements/uv.txt
    fi
    [ -x .venv/bin/python ] || "$python" -m venv --without-pip .venv
    # What is not in the lock goes away, the project itself too: it is put back without asking for dependencies.
    "$UV" pip sync --quiet --python .venv/bin/python --require-hashes requirements/dev.lock
    "$UV" pip install --quiet --python .venv/bin/python --no-deps --no-build-isolation --editable .
}

wanted() { cat requirements/dev.lock requirements/uv.txt pyproject.toml scripts/env.sh | sha256sum; }

mkdir -p .cache
mapfile -t missing < <(missing_packages)
[ "${#missing[@]}" -eq 0 ] || stage "Debian packages (${#missing[@]})" install_packages "${missing[@]}"
if [ -f "$STAMP" ] && [ "$(cat "$STAMP")" = "$(wanted)" ] && [ -x .venv/bin/kawaii ]; then
    skip "Python environment"
else
    stage "Python environment" install_python_environment
    wanted >"$STAMP"
fi
