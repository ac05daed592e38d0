"""One registry a kind, scope ``mmlt``.

A name is looked up in mmlt first, then in MMEngine, then in mmpretrain, which is imported only when a name is found in
neither (it takes seconds). ``mmpretrain.ResNet`` names that package's part outright. A dotted path
(``os.system``) is never imported: a type is a registered name or nothing.
"""

import difflib
import importlib
import warnings
from importlib.metadata import version

import mmengine.registry
from mmengine.registry import Registry

from mmlt.errors import UserError

# mmcv-lite has no compiled operators and says so when mmpretrain is imported; no classifier needs this one.
warnings.filterwarnings('ignore', message='Fail to import ``MultiScaleDeformableAttention``')
# MMEngine looks for the packages of `mmpretrain::` bases by it.
warnings.filterwarnings('ignore', message='pkg_resources is deprecated')

SCOPES = ('mmlt', 'mmengine', 'mmpretrain', 'mmcv', 'mmdet', 'mmseg', 'mmrazor', 'mmselfsup')


class LazyRegistry(Registry):
    """A registry that names the nearest known parts when one is unknown.

    Args:
        name: the kind of part.
        parent: MMEngine's registry of that kind.
        locations: modules of mmlt whose import registers the parts.
        fallback: module of mmpretrain that registers parts of this kind, imported on the first miss.
    """

    def __init__(self, name: str, parent: Registry, locations: list[str], fallback: str | None = None) -> None:
        super().__init__(name, parent=parent, scope='mmlt')
        self.locations = locations
        self.complete = False
        self.fallback = fallback

    def import_from_location(self) -> None:
        """Import mmlt's own parts once; unlike MMEngine's, an import that fails says so with its own cause."""
        if not self.complete:
            for location in self.locations:
                importlib.import_module(location)
            self.complete = True

    def get(self, key: str) -> type | None:
        """The part registered as `key`.

        Raises:
            UserError: nothing has that name; the nearest known names are given.
        """
        if not isinstance(key, str):
            return super().get(key)
        self.import_from_location()
        scope, _, name = key.rpartition('.')
        if scope and scope not in SCOPES:
            raise UserError(f'type {key!r} is a dotted path, which is never imported: register the part, use its name.')
        registry: Registry | None = self
        while registry is not None:
            if scope in ('', registry.scope) and name in registry.module_dict:
                return registry.module_dict[name]
            registry = registry.parent
        if scope not in ('', 'mmlt', 'mmengine'):
            found = self._foreign(scope, name)
        else:
            found = self._foreign('mmpretrain', name) if scope == '' and self.fallback else None
        if found is None:
            raise UserError(f'no {self.name} is called {key!r}{self._nearest(name)}; correct the type in the config.')
        return found

    def _foreign(self, scope: str, name: str) -> type | None:
        try:
            if scope == 'mmpretrain':
                leave_out_text_models()
            importlib.import_module(self.fallback if scope == 'mmpretrain' and self.fallback else f'{scope}.registry')
        except ImportError as error:
            raise UserError(
                f'the {self.name} {name!r} was looked for in {scope}, whose import failed ({error}): install {scope}, or '
                'correct the type in the config.'
            ) from error
        child = self.parent.children.get(scope) if self.parent else None
        if child is None:
            return None
        child.import_from_location()
        return child.module_dict.get(name)

    def is_of(self, scope: str, name: str) -> bool:
        """Whether the package of that scope registers a part of this name itself."""
        child = self.parent.children.get(scope) if self.parent else None
        if child is None:
            return self._foreign(scope, name) is not None
        child.import_from_location()
        return name in child.module_dict

    def _nearest(self, name: str) -> str:
        known: set[str] = set()
        registry: Registry | None = self
        while registry is not None:
            known |= set(registry.module_dict)
            registry = registry.parent
        near = difflib.get_close_matches(name, sorted(known), n=3, cutoff=0.5)
        return f' (the nearest known: {", ".join(near)})' if near else ''


def leave_out_text_models() -> None:
    """Let mmpretrain be imported beside transformers 5: its models of pictures and text, none of them a classifier, take any
    transformers from 4.28 on for one that they can use, and break."""
    import mmpretrain.utils.dependency as dependency

    if dependency.WITH_MULTIMODAL and int(version('transformers').split('.')[0]) >= 5:
        dependency.WITH_MULTIMODAL = False


PARTS = {
    'MODELS': (
        'model',
        ['mmlt.models.backbones', 'mmlt.models.heads', 'mmlt.models.terms', 'mmlt.models.classifiers']
        + ['mmlt.models.losses.modules', 'mmlt.models.losses.multi_label_modules']
        + ['mmlt.models.preprocessor', 'mmlt.detection'],
        'mmpretrain.models',
    ),
    'DATASETS': ('dataset', ['mmlt.datasets', 'mmlt.detection'], 'mmpretrain.datasets'),
    'DATA_SAMPLERS': ('data sampler', ['mmlt.datasets.samplers'], 'mmpretrain.datasets'),
    'TRANSFORMS': ('transform', ['mmlt.datasets.transforms', 'mmlt.detection'], 'mmpretrain.datasets'),
    'METRICS': ('metric', ['mmlt.evaluation', 'mmlt.detection'], 'mmpretrain.evaluation'),
    'HOOKS': ('hook', ['mmlt.engine'], 'mmpretrain.engine'),
    'LOOPS': ('loop', ['mmlt.engine'], None),
    'RUNNERS': ('runner', ['mmlt.engine'], None),
    'OPTIM_WRAPPERS': ('optimizer wrapper', ['mmlt.engine'], None),
    'VISUALIZERS': ('visualizer', [], 'mmpretrain.visualization'),
}
# A child of every other registry too, so that MMEngine finds one of scope `mmlt` wherever it looks.
for _name, _parent in vars(mmengine.registry).items():
    if isinstance(_parent, Registry) and _name.isupper() and _name not in PARTS:
        PARTS[_name] = (_name.lower().replace('_', ' ').removesuffix('s'), [], None)

_registries = {
    name: LazyRegistry(kind, getattr(mmengine.registry, name), locations, fallback)
    for name, (kind, locations, fallback) in PARTS.items()
}
MODELS = _registries['MODELS']
DATASETS = _registries['DATASETS']
DATA_SAMPLERS = _registries['DATA_SAMPLERS']
TRANSFORMS = _registries['TRANSFORMS']
METRICS = _registries['METRICS']
HOOKS = _registries['HOOKS']
LOOPS = _registries['LOOPS']
RUNNERS = _registries['RUNNERS']
OPTIM_WRAPPERS = _registries['OPTIM_WRAPPERS']
OPTIMIZERS = _registries['OPTIMIZERS']
PARAM_SCHEDULERS = _registries['PARAM_SCHEDULERS']
VISUALIZERS = _registries['VISUALIZERS']
VISBACKENDS = _registries['VISBACKENDS']
