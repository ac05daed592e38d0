"""What all tests share: the device."""

import os

# Tests hold what a run computed against tensors on the CPU; before torch is imported, and for the commands they start.
if not os.environ.get('MMLT_TEST_GPU'):
    os.environ['CUDA_VISIBLE_DEVICES'] = ''
