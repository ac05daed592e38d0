"""What `train` and `test` give back: the record, and what a person asks of it first."""

from pathlib import Path


class Results(dict):
    """A record as `results.json` holds it (a plain dict), with a few names for a notebook.

    Printed, it is three lines: what was run, its figures, where they lie.
    """

    @property
    def metrics(self) -> dict[str, float]:
        """The metrics of the last epoch, accuracies in percent: `metrics['accuracy/few']`."""
        return self['last']['metrics']

    @property
    def folder(self) -> Path | None:
        """The run's folder; None of an evaluation."""
        return Path(self['folder']) if 'folder' in self else None

    @property
    def checkpoint(self) -> Path:
        """The checkpoint of the last epoch, or the one that was evaluated."""
        file = Path(self['checkpoint']['file'])
        return file if self.folder is None else self.folder / file

    def __repr__(self) -> str:
        from mmlt.engine.hooks import accuracies

        shown = accuracies(self.metrics) or [f'{name} {value:.4g}' for name, value in sorted(self.metrics.items())]
        what = f'{self["config"]}, seed {self["seed"]}, {self["data"]["num_images"]:,} training images'
        return '\n'.join([what, '  '.join(shown), str(self.folder or self.checkpoint)])

    __str__ = __repr__
