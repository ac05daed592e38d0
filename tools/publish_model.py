#!/usr/bin/env python3
"""A small file for inference alone, with its card: python tools/publish_model.py CKPT OUT_DIR"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

if __name__ == '__main__':
    from mmlt.apis.publish import main

    main()
