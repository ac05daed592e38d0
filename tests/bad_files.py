"""Files that a user may give by mistake: configs, lists, archives, checkpoints."""

from pathlib import Path

import numpy as np
import torch
from hostile import Mark
from PIL import Image

from mmlt.config.load import load_config
from mmlt.engine.checkpoint import save_checkpoint
from mmlt.plain import plain
from mmlt.registry import MODELS

LISTED = """
_base_ = ['{base}']
train_dataloader = dict(dataset=dict(_delete_=True, type='ImageList', data_root='{root}', ann_file='{file}', num_classes=3))
"""
FOLDERS = """
_base_ = ['{base}']
num_classes = 3
train_dataloader = dict(dataset=dict(_delete_=True, type='ImageFolder', data_root='{root}/train', image_size=8))
val_dataloader = dict(dataset=dict(_delete_=True, type='ImageFolder', data_root='{root}/{test}', image_size=8{more}))
test_dataloader = val_dataloader
"""
FOLDERS_TESTED = """
val_dataloader = dict(dataset=dict(_delete_=True, type='ImageFolder', data_root='{root}/train', image_size=8))
"""
LIST_TESTED = """
val_dataloader = dict(dataset=dict(_delete_=True, type='ImageList', data_root='{root}', ann_file='{file}', num_classes=3))
"""
PART = "_base_ = ['{base}']\n{key} = dict({part})\n"


def make(folder: Path, base: Path) -> None:
    """Write them all into `folder`; configs and models are made from the config `base`."""
    for name, text in {
        'close': f"_base_ = ['{base}']\noptim_wraper = dict(optimizer=dict(lr=1))\n",
        'argument': f"_base_ = ['{base}']\nmodel = dict(backbone=dict(dept=8))\n",
        'broken': 'model = dict(\n',
        'baseless': "_base_ = ['nowhere.py']\n",
        'importing': f"_base_ = ['{base}']\ncustom_imports = dict(imports=['no_such_module_here'])\n",
        'twice': f"_base_ = ['{base}']\ntrain_dataloader = dict(dataset=dict(dataset=dict(_delete_=True, "
                 "type='LongTailedDataset', imbalance_ratio=50, dataset=dict(type='Digits'))))\n",
        'misspelt_loader': PART.format(base=base, key='train_dataloader', part="smapler=dict(type='ClassBalancedSampler')"),
        'foreign_loader': PART.format(base=base, key='train_dataloader', part='persistent_workers=True'),
        'misspelt_teacher': PART.format(base=base, key='prerequisites', part="teacher=dict(config='t.py', chekpoint='m.pth')"),
        'needs_itself': PART.format(base=base, key='prerequisites', part="teacher=dict(config='needs_itself.py')"),
        'seeded': f"_base_ = ['{base}']\nseed = 3\n",
        'load_from': f"_base_ = ['{base}']\nload_from = 'x.pth'\n",
        'vit': PART.format(base=base, key='model', part="backbone=dict(_delete_=True, type='TimmBackbone', "
                           "model_name='test_vit'), head=dict(in_channels=64)"),
        'reweighting': PART.format(base=base, key='model', part='reweighting=dict(beta=1.5)'),
        'mixing': PART.format(base=base, key='model', part="type='MixingClassifier', mixing=dict(type='Mixup', alpha=-1)"),
        'remix': PART.format(base=base, key='model', part="type='MixingClassifier', mixing=dict(type='Remix', tau=2)"),
        'aware': PART.format(base=base, key='train_dataloader',
                             part="sampler=dict(_delete_=True, type='ClassAwareSampler', samples_per_class=4)"),
        'undeleted': PART.format(base='aware.py', key='train_dataloader', part="sampler=dict(type='PowerSampler')"),
        'folder_lacks': FOLDERS.format(base=base, root=folder, test='test_lacks', more=''),
        'folder_named': FOLDERS.format(base=base, root=folder, test='test_named', more=''),
        'folder_strange': FOLDERS.format(base=base, root=folder, test='test_named', more=", classes=['a', 'b', 'c']"),
        'list_empty': LISTED.format(base=base, root=folder, file='empty.txt').replace('num_classes=3', 'num_classes=4'),
        'list_line': LISTED.format(base=base, root=folder, file='lines.txt'),
        'list_label': LISTED.format(base=base, root=folder, file='labels.txt'),
        'list_json': LISTED.format(base=base, root=folder, file='labels.json'),
        'list_huge': LISTED.format(base=base, root=folder, file='huge.txt').replace(', num_classes=3', ''),
        'list_from_one': LISTED.format(base=base, root=folder, file='from_one.txt'),
        'list_gaps': LISTED.format(base=base, root=folder, file='gaps.txt').replace(', num_classes=3', ''),
        'list_several': LISTED.format(base=base, root=folder, file='several.txt'),
        'list_dead': (LISTED + LIST_TESTED).format(base=base, root=folder, file='dead.txt'),
        'list_numbers': LISTED.format(base=base, root=folder, file='numbers.txt') + FOLDERS_TESTED.format(root=folder),
        'list_other': LISTED.format(base=base, root=folder / 'train', file=folder / 'other.txt')
        + FOLDERS_TESTED.format(root=folder),
        'classes_text': FOLDERS.format(base=base, root=folder, test='train', more=", classes='abc'"),
        'classes_twice': FOLDERS.format(base=base, root=folder, test='train', more=", classes=['a', 'b', 'c', 'a']"),
        'folder_splits': FOLDERS.format(base=base, root=folder, test='train', more='').replace('/train', '/splits'),
        'list_none': LISTED.format(base=base, root=folder, file='none.txt'),
    }.items():  # fmt: skip
        (folder / f'{name}.py').write_text(text)
    (folder / 'lines.txt').write_text('a.png 0\nb.png\n')
    (folder / 'labels.txt').write_text('a.png 7\n')
    (folder / 'labels.json').write_text('[' + '{"path": "a.png", "label": 0}, ' * 100_000 + ']')
    (folder / 'huge.txt').write_text('a.png 0\nb.png 100000000000\n')
    (folder / 'from_one.txt').write_text('a.png 1\nb.png 2\nc.png 3\n')
    (folder / 'gaps.txt').write_text('a.png 0\nb.png 2\nc.png 9\n')
    (folder / 'several.txt').write_text('a.png 0 2\n')
    (folder / 'dead.txt').write_text('a.png 0\nb.png 1\nc.png 2\n')
    (folder / 'numbers.txt').write_text('a.png 0\nb.png 1\nc.png 2\n')
    (folder / 'other.txt').write_text('a/x.png 1\nb/x.png 0\nc/x.png 2\n')
    (folder / 'splits/train').mkdir(parents=True)
    (folder / 'empty.txt').write_text('a.png 0\nb.png 1\nc.png 2\n')
    for name, classes in dict(train='abc', test_lacks='ac', test_named=['a', 'bb', 'c']).items():
        for place in classes:
            (folder / name / place).mkdir(parents=True)
            Image.new('RGB', (8, 8)).save(folder / name / place / 'x.png')
    (folder / 'archive').mkdir()
    (folder / 'archive/cifar-100-python.tar.gz').write_bytes(b'half a file')
    images = np.zeros((3, 32, 32, 3), np.uint8)
    np.savez(folder / 'label.npz', images=images, labels=np.array([0, 1, 100]))
    np.savez(folder / 'pickled.npz', images=images, labels=np.array([0, None, 1], dtype=object))
    (folder / 'cut.npz').write_bytes((folder / 'label.npz').read_bytes()[:500])
    torch.save({'state_dict': Mark(folder / 'mark')}, folder / 'hostile.pth')
    torch.save({'state_dict': {'weight': torch.zeros(1)}}, folder / 'foreign.pth')
    model = load_config(base).model
    model.head.num_classes = 7
    made = MODELS.build(model)
    made.class_counts += 1
    save_checkpoint(folder / 'seven.pth', dict(state_dict=made.state_dict(), meta=dict(model=plain(model.to_dict()))))
    model.head.num_classes = 3
    made = MODELS.build(model)
    made.class_counts += 1
    meta = dict(model=plain(model.to_dict()), classes=['a', 'b', 'c'], class_counts=[1, 1, 1])
    save_checkpoint(folder / 'abc.pth', dict(state_dict=made.state_dict(), meta=meta))
