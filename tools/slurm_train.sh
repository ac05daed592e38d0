#!/usr/bin/env bash
# Train under Slurm.
#
#   bash tools/slurm_train.sh PARTITION JOB_NAME CONFIG [arguments of tools/train.py]
#   GPUS=16 GPUS_PER_NODE=8 CPUS_PER_TASK=8 SRUN_ARGS='--time=2:00:00 --mem=64G' bash tools/slurm_train.sh ...
set -euo pipefail
if (($# < 3)); then
    echo 'usage: bash tools/slurm_train.sh PARTITION JOB_NAME CONFIG [arguments of tools/train.py]' >&2
    exit 1
fi
source "$(dirname "${BASH_SOURCE[0]}")/dist_common.sh"
GPUS=${GPUS:-8}
GPUS_PER_NODE=${GPUS_PER_NODE:-$((GPUS < 8 ? GPUS : 8))}
CPUS_PER_TASK=${CPUS_PER_TASK:-5}
read -ra EXTRA <<<"${SRUN_ARGS:-}"

exec srun --partition="$1" --job-name="$2" --gres=gpu:"$GPUS_PER_NODE" --ntasks="$GPUS" \
    --ntasks-per-node="$GPUS_PER_NODE" --cpus-per-task="$CPUS_PER_TASK" --kill-on-bad-exit=1 \
    ${EXTRA[@]+"${EXTRA[@]}"} "$PYTHON" -u "$TOOLS/train.py" "$3" --launcher slurm "${@:4}"
