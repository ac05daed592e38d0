"""Which image comes next, and what happens to it: the data sets."""

from mmlt.batch import Batch
from mmlt.datasets.cifar import CIFAR10, CIFAR100
from mmlt.datasets.digits import Digits
from mmlt.datasets.image_folder import ImageFolder
from mmlt.datasets.image_list import ImageList
from mmlt.datasets.label_files import LabelTable, read_labels
from mmlt.datasets.long_tailed import LongTailedDataset
from mmlt.datasets.multi_label import MultiLabelArrays, MultiLabelDataset
from mmlt.datasets.multi_label_digits import MultiLabelDigits
from mmlt.datasets.packed import PackedImages
from mmlt.datasets.subset import SubsetRule
from mmlt.datasets.torchvision_dataset import torchvision_dataset

__all__ = [
    'CIFAR10',
    'CIFAR100',
    'Batch',
    'MultiLabelDigits',
    'Digits',
    'ImageFolder',
    'ImageList',
    'LabelTable',
    'LongTailedDataset',
    'MultiLabelArrays',
    'MultiLabelDataset',
    'PackedImages',
    'SubsetRule',
    'read_labels',
    'torchvision_dataset',
]
