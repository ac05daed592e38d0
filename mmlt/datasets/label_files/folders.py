"""Folders as they are: a folder a class, with or without folders of splits above, and Roboflow's exports."""

from pathlib import Path

from mmlt.datasets.class_folders import ClassFolders
from mmlt.datasets.label_files.table import SPLIT_NAMES, split_name

EXPORTED = ('_classes.csv', '_annotations.coco.json')  # Roboflow's, in the folder of each split


def split_folders(root: Path) -> dict[str, Path]:
    """The folders of splits, `train`, `val`, `test` by what they are called; empty where `root` holds anything else too.

    Args:
        root: a folder.
    """
    try:
        names = [entry.name for entry in sorted(root.iterdir()) if entry.is_dir() and not entry.name.startswith('.')]
    except OSError:
        return {}
    if not names or not {name.lower() for name in names} <= SPLIT_NAMES.keys():
        return {}
    folders: dict[str, Path] = {}
    for name in names:
        folders.setdefault(split_name(name), root / name)
    return folders if len(folders) == len(names) else {}  # `val` and `valid` beside each other are no splits


def exported(folder: Path) -> Path | None:
    """The file with the labels of a folder that Roboflow made."""
    return next((folder / name for name in EXPORTED if (folder / name).is_file()), None)


def class_names_below(folders: dict[str, Path]) -> list[str]:
    """The class folders of all splits, sorted: a split that lacks a class does not number them anew."""
    return sorted({name for folder in folders.values() for name in ClassFolders(folder).names})
