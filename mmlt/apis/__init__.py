"""What the tools call, and a notebook can call too: `from mmlt.apis import train, test, Inferencer`.

The names are looked up when they are asked for, since torch takes seconds to import.
"""

import sys
from types import ModuleType

__all__ = ['Inferencer', 'test', 'train']


class _Apis(ModuleType):
    """This package: `train` and `test` are the functions, though files of their names stand in it."""

    def __getattr__(self, name: str) -> object:
        if name == 'Inferencer':
            from mmlt.apis.inferencer import Inferencer as found
        elif name == 'test':
            from mmlt.apis.test import test as found
        elif name == 'train':
            from mmlt.apis.train import train as found
        else:
            raise AttributeError(f'module {self.__name__!r} has no attribute {name!r}')
        return found

    def __setattr__(self, name: str, value: object) -> None:
        # Whoever imports mmlt.apis.train would put that file in the function's place.
        if not (name in __all__ and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Apis
