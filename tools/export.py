#!/usr/bin/env python3
"""A model as ONNX or by torch.export: python tools/export.py CKPT [--out FILE.onnx] [--format onnx|torch.export]"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

if __name__ == '__main__':
    from mmlt.apis.export import main

    main()
