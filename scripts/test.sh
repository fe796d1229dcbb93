#!/usr/bin/env bash
# test.sh ARGS…: the environment, the image, then all tests; pytest's closing line is the last one printed.
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/env.sh
scripts/image.sh

arguments=("$@")
# Two workers, as namespaces isolate the labs; tests of one group (the booted VM) share a worker, and come last.
[ "${#arguments[@]}" -gt 0 ] || arguments=(tests)
exec .venv/bin/python -m pytest -q -n "${KAWAII_TEST_WORKERS:-2}" --dist loadgroup "${arguments[@]}"
