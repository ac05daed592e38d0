#!/usr/bin/env bash
# Test a checkpoint on several GPUs of one machine or more (NNODES, NODE_RANK, MASTER_ADDR, PORT as in dist_train.sh).
#
#   bash tools/dist_test.sh CONFIG CHECKPOINT GPUS [arguments of tools/test.py]
set -euo pipefail
if (($# < 3)); then
    echo 'usage: bash tools/dist_test.sh CONFIG CHECKPOINT GPUS [arguments of tools/test.py]' >&2
    exit 1
fi
CONFIG=$1
CHECKPOINT=$2
GPUS=$3
source "$(dirname "${BASH_SOURCE[0]}")/dist_common.sh"
launch "$TOOLS/test.py" "$CONFIG" "$CHECKPOINT" --launcher pytorch "${@:4}"
