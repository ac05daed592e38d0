"""A global batch that is the same on any number of ranks."""

from mmengine.config import Config

from mmlt.errors import UserError


def share_global_batch(cfg: Config, world_size: int) -> None:
    """Replace `batch_size` and `accumulative_counts` by what makes `train_dataloader.global_batch_size` of them.

    `batch_size` is then the most that a rank takes in one step; as few steps an update as possible are taken.

    Args:
        cfg: the config, which is changed.
        world_size: number of ranks.

    Raises:
        UserError: the global batch cannot be shared evenly, or is named twice.
    """
    wanted = cfg.train_dataloader.get('global_batch_size')
    if not wanted:
        return
    if cfg.optim_wrapper.get('accumulative_counts', 1) != 1:
        raise UserError(
            'train_dataloader.global_batch_size and optim_wrapper.accumulative_counts say the same thing twice: leave out the '
            'second.'
        )
    if wanted % world_size:
        raise UserError(
            f'train_dataloader.global_batch_size={wanted} cannot be shared evenly by {world_size} ranks: name a multiple of '
            f'{world_size}, or start another number of processes.'
        )
    share, most = wanted // world_size, cfg.train_dataloader.batch_size
    counts = next(count for count in range(1, share + 1) if share % count == 0 and share // count <= most)
    cfg.train_dataloader.batch_size = share // counts
    cfg.optim_wrapper.accumulative_counts = counts


def images_an_update(batch_size: int, world_size: int, accumulative_counts: int = 1) -> int:
    """Images whose gradients one update averages."""
    return batch_size * world_size * accumulative_counts


def batch_in_words(batch_size: int, world_size: int, accumulative_counts: int = 1) -> str | None:
    """How the images of an update are shared; None for one rank and one step."""
    if world_size * accumulative_counts == 1:
        return None
    factors = [f'{batch_size} a step']
    factors += [f'{world_size} ranks'] if world_size > 1 else []
    factors += [f'{accumulative_counts} steps'] if accumulative_counts > 1 else []
    return f'{images_an_update(batch_size, world_size, accumulative_counts)} images an update ({" x ".join(factors)})'
