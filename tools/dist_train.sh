#!/usr/bin/env bash
# Train on several GPUs of one machine or more.
#
#   bash tools/dist_train.sh CONFIG GPUS [arguments of tools/train.py]
#   NNODES=2 NODE_RANK=0 MASTER_ADDR=10.0.0.1 PORT=29500 bash tools/dist_train.sh CONFIG 8    # on every machine, NODE_RANK 0, 1
#
# With MAX_RESTARTS=3 the processes are started anew when one of them ends, up to three times, and the run goes on from its last
# checkpoint. NNODES=1:4 (with the same MASTER_ADDR and PORT, no NODE_RANK) goes on with the machines that are left:
# train_dataloader.global_batch_size keeps the batch.
set -euo pipefail
if (($# < 2)); then
    echo 'usage: bash tools/dist_train.sh CONFIG GPUS [arguments of tools/train.py]' >&2
    exit 1
fi
CONFIG=$1
GPUS=$2
source "$(dirname "${BASH_SOURCE[0]}")/dist_common.sh"
launch "$TOOLS/train.py" "$CONFIG" --launcher pytorch "${@:3}"
