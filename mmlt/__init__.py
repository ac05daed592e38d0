"""mmlt: long-tailed image recognition on MMEngine."""

__version__ = '0.1.0'
