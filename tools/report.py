#!/usr/bin/env python3
"""Write a run's report.html anew: python tools/report.py work_dirs/bkd/resnet8_digitslt/seed0"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

if __name__ == '__main__':
    from mmlt.apis.report import main

    main()
