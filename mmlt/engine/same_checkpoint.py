"""The checkpoint that a run of several processes goes on from: one for all of them."""

from collections.abc import Callable
from pathlib import Path

from mmengine.dist import all_gather_object, broadcast_object_list, get_world_size, is_main_process

from mmlt.engine.checkpoint import checkpoints_of, latest_checkpoint, load_checkpoint
from mmlt.errors import UserError

Check = Callable[[Path, dict], None]
Found = tuple[Path, dict]


def same_checkpoint(folder: str | Path, check: Check) -> Found | None:
    """The newest readable checkpoint of a run, see `latest_checkpoint`: rank 0 chooses, and all others read the very same.

    Args:
        folder: the run's folder, as each rank sees it.
        check: raises a UserError for a content that does not fit.

    Raises:
        UserError: on every rank alike, where one of them sees another folder than rank 0.
    """
    folder = Path(folder).absolute()
    found = latest_checkpoint(folder, check) if is_main_process() else None
    if get_world_size() == 1:
        return found
    chosen = found and (found[0].name, found[1]['sha256'])
    said = [(chosen, str(folder), [path.name for path in checkpoints_of(folder)])]
    broadcast_object_list(said)
    chosen, its_folder, names = said[0]
    wrong = None
    if not is_main_process():
        found, wrong = _the_same(folder, chosen, names, check)
    for rank, one in enumerate(all_gather_object(wrong)):
        if one:
            first = f'goes on from {its_folder}/{chosen[0]}' if chosen else f'finds no checkpoint in {its_folder}'
            raise UserError(
                f'cannot resume: process 0 {first}, but process {rank} {one}; all processes must see the same folder: give '
                '--work-dir a path on a file system that all machines share, and start them in the same folder.'
            )
    return found


def _the_same(
    folder: Path, chosen: tuple[str, str] | None, names: list[str], check: Check
) -> tuple[Found | None, str | None]:
    """The chosen checkpoint as this rank sees it, or what is wrong with that."""
    if chosen is None:
        others = [path for path in checkpoints_of(folder) if path.name not in names and path.is_file()]
        return None, f'has {others[0]}' if others else None
    path = folder / chosen[0]
    if not path.is_file():
        return None, f'has no {path}'
    try:
        content = load_checkpoint(path)
        same = content['sha256'] == chosen[1]  # before it is brought to this run
        check(path, content)
    except UserError as error:
        return None, f'cannot go on from its own ({str(error).rstrip(".")})'
    return ((path, content), None) if same else (None, f'has another one of that name, {path}')
