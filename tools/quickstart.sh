#!/usr/bin/env bash
# From a fresh clone to a first result: sets the environment up, trains a cross-entropy teacher and its balanced
# distillation (BKD) student on the embedded digits, and shows the two side by side. A few minutes, without a GPU.
#
#   bash tools/quickstart.sh
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

bash tools/setup_env.sh
# One thread: the digits are so small that a second one only waits, and on a busy machine for long.
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}"
.venv/bin/python tools/train.py configs/bkd/resnet8_digitslt.py --resume
.venv/bin/python tools/compare.py work_dirs/ce/resnet8_digitslt/seed0 work_dirs/bkd/resnet8_digitslt/seed0 \
    --out work_dirs/comparison
echo 'Next, CIFAR-100-LT (downloaded on first use into data/cifar100, or placed there by you):' \
    '.venv/bin/python tools/train.py configs/bkd/resnet32_cifar100lt.py'
