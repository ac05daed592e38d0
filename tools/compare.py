#!/usr/bin/env python3
"""Set finished runs side by side: python tools/compare.py RUN RUN ... [--out comparison]"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

if __name__ == '__main__':
    from mmlt.apis.compare import main

    main()
