#!/usr/bin/env python3
"""Predict pictures: python tools/predict.py CKPT PATHS... [--out predictions.csv] [--page page.html]"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

if __name__ == '__main__':
    from mmlt.apis.predict import main

    main()
