#!/usr/bin/env python3
"""Are lists and images of a published data set whole? python tools/prepare_data.py imagenet_lt --root data/imagenet_lt"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

if __name__ == '__main__':
    from mmlt.apis.prepare import main

    main()
