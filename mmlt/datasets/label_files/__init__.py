"""Labels as people have them: lists, tables, JSON and folders, all read into one `LabelTable`."""

from mmlt.datasets.label_files.read import read_labels
from mmlt.datasets.label_files.table import LabelTable

__all__ = ['LabelTable', 'read_labels']
