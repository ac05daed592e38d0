#!/usr/bin/env python3
"""One file of small JPEGs from a data set: python tools/pack_images.py FILE --root DIR [--lists FILE ...]"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

if __name__ == '__main__':
    from mmlt.apis.packing import main

    main()
