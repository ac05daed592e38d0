"""Folders as they are: a folder a class, with or without folders of splits above, and Roboflow's exports."""

from pathlib import Path

from mmlt.datasets.class_folders import ClassFolders
from mmlt.datasets.label_files.disk import folders_in
from mmlt.datasets.label_files.table import SPLIT_NAMES, split_name

EXPORTED = ('_classes.csv', '_annotations.coco.json')  # Roboflow's, in the folder of each split


def split_folders(root: Path, alone: bool = True) -> dict[str, Path]:
    """The folders of splits, `train`, `val`, `test` by what they are called; empty where two are of one split.

    Args:
        root: a folder.
        alone: empty, too, where `root` holds other folders beside them.
    """
    below = folders_in(root)
    found = [folder for folder in below if folder.name.lower() in SPLIT_NAMES]
    folders = {split_name(folder.name): folder for folder in found}
    return {} if len(folders) < len(found) or (alone and len(found) < len(below)) else folders


def exported(folder: Path) -> Path | None:
    """The file with the labels of a folder that Roboflow made."""
    return next((folder / name for name in EXPORTED if (folder / name).is_file()), None)


def class_names_below(folders: dict[str, Path]) -> list[str]:
    """The class folders of all splits, sorted: a split that lacks a class does not number them anew."""
    return sorted({name for folder in folders.values() for name in ClassFolders(folder).names})
