"""What a visualizer draws of a run, made from its `scalars.jsonl` where the run ended before anybody asked."""

import copy
import json
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.registry import VISUALIZERS

from mmlt.analysis.evaluation_files import read_evaluation
from mmlt.engine.building import building
from mmlt.engine.console import say
from mmlt.engine.evaluation_pictures import draw_evaluation
from mmlt.errors import UserError
from mmlt.files import SCALARS_FILE

VIS_FOLDER = 'vis_data'  # MMEngine's name
DRAWN = '.drawn'


def note_drawn(cfg: Config, folder: Path) -> None:
    """Remember that a run's visualizer has drawn it."""
    if _backends(cfg) and folder.is_dir():
        (folder / VIS_FOLDER).mkdir(exist_ok=True)
        (folder / VIS_FOLDER / DRAWN).touch()


def draw_finished(cfg: Config, folder: Path) -> None:
    """Hand a finished run's losses, rates and metrics to the config's visualizer, unless one has drawn them already.

    Args:
        cfg: the prepared config.
        folder: of the finished run.
    """
    names, drawn = _backends(cfg), folder / VIS_FOLDER
    if not names:
        return
    if drawn.is_dir() and any(drawn.iterdir()):
        say(f'  its pictures are in {drawn}; remove that folder, and they are drawn anew by {", ".join(names)}')
        return
    if not (folder / SCALARS_FILE).is_file():
        say(f'  there is no {folder / SCALARS_FILE} to draw by {", ".join(names)}: train into another --work-dir')
        return
    wanted = copy.deepcopy(cfg.visualizer.to_dict())
    wanted.setdefault('name', f'finished_{time.time_ns()}')
    wanted.setdefault('save_dir', str(folder))
    with building('visualizer'):
        visualizer = VISUALIZERS.build(wanted)
    visualizer.add_config(cfg)
    step, known = 0, {}
    for line in (folder / SCALARS_FILE).read_text(encoding='utf-8', errors='replace').splitlines():
        with suppress(ValueError, AttributeError, RecursionError):  # a line that a kill left half-written
            scalars = json.loads(line)
            step = scalars.pop('step')
            scalars.pop('epoch', None)
            visualizer.add_scalars(scalars, step=step)
            known = scalars
    with suppress(UserError):  # older runs have none
        draw_evaluation(visualizer, read_evaluation(folder), step, known)
    visualizer.close()
    note_drawn(cfg, folder)
    say(f'  drawn from its {SCALARS_FILE} by {", ".join(names)}: {drawn}')


def _backends(cfg: Config) -> list[str]:
    """The types of the config's backends, in words."""
    given: Any = (cfg.get('visualizer') or {}).get('vis_backends') or []
    return [str(part.get('type')) for part in ([given] if isinstance(given, dict) else given) if isinstance(part, dict)]
