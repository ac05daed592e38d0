#!/usr/bin/env bash
# Set up, lint, test. Further arguments go to pytest; its summary is the last line, its exit code the script's.
#
#   bash tools/run_tests.sh                          # everything
#   bash tools/run_tests.sh -m 'not slow' tests/models
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

bash tools/setup_env.sh
.venv/bin/ruff check .

# One thread a worker: the tests are many and small, and two pools on the same cores slow each other down.
cores=$(nproc)
export OMP_NUM_THREADS=1 MKL_NUM_THREADS=1
exec .venv/bin/python -m pytest -q -n $((cores < 8 ? cores : 8)) --dist worksteal "$@"
