#!/usr/bin/env python3
"""Train a config: python tools/train.py configs/bkd/resnet32_cifar100lt.py"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

if __name__ == '__main__':
    from mmlt.apis.main import train

    train()
