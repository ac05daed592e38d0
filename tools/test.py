#!/usr/bin/env python3
"""Evaluate a checkpoint: python tools/test.py CONFIG CHECKPOINT [--out results.json]"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

if __name__ == '__main__':
    from mmlt.apis.main import test

    test()
