#!/usr/bin/env bash
# Everything that was built is gone: image, caches, environment.
set -euo pipefail
cd "$(dirname "$0")/.."

rm -rf --one-file-system build .cache .venv ./*.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
find . -name __pycache__ -type d -not -path './.git/*' -prune -exec rm -rf {} +
