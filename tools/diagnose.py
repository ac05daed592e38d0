#!/usr/bin/env python3
"""Look at a set of images before training: python tools/diagnose.py DATA [--out my.py] [--page page.html]"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

if __name__ == '__main__':
    from mmlt.apis.diagnose import main

    main()
