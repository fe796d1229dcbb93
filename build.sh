#!/usr/bin/env bash
# The one command of this project; see ./build.sh --help.
set -eu
cd "$(dirname "$0")"

usage() {
    cat <<'HELP'
Usage: ./build.sh [COMMAND]

  image        (default) build build/kawaii-gateway.qcow2 with its manifest, SBOM and checksums
  env          only the Debian packages and the locked Python environment in .venv/
  run ARGS…    boot one virtual machine per zone among the lab's nodes, open the console of the first by SSH
               (--zones N, --seed FILE, --detach)
  stop         stop what run --detach left running
  lab ARGS…    a region in network namespaces: up, down, status, exec, shell (.venv/bin/kawaii lab)
  test ARGS…   everything the tests need, then all of them (ARGS go to pytest)
  clean        remove everything that was built, caches and environment too

  -h, --help   this text

Variables: KAWAII_MIRROR, KAWAII_SECURITY_MIRROR        Debian mirrors to build from (default: this machine's)
           KAWAII_IMAGE_MIRROR, KAWAII_IMAGE_SECURITY_MIRROR   Debian mirrors that the image names (default: none)
           KAWAII_SLOT_MB                               size of a system slot (default: 1024)
HELP
}

misused() {
    printf 'build.sh: %s (see ./build.sh --help)\n' "$1" >&2
    exit 2
}

command=${1:-image}
[ $# -eq 0 ] || shift
case $command in
    image | env | stop | clean) [ $# -eq 0 ] || misused "$command takes no argument" ;;
esac
case $command in
    image) scripts/env.sh && exec scripts/image.sh ;;
    env) exec scripts/env.sh ;;
    run) scripts/env.sh >&2 && scripts/image.sh >&2 && exec .venv/bin/python -m appliance.lab.machines run "$@" ;;
    stop) scripts/env.sh >&2 && exec .venv/bin/python -m appliance.lab.machines stop ;;
    lab) scripts/env.sh >&2 && exec .venv/bin/kawaii lab "$@" ;;
    test) exec scripts/test.sh "$@" ;;
    clean) exec scripts/clean.sh ;;
    -h | --help | help) usage ;;
    *) misused "no such command: $command" ;;
esac
