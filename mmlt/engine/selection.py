"""Which epoch of a run is its best: the one with the largest, or smallest, value of a metric."""

from dataclasses import dataclass

from mmlt.errors import UserError

USUAL = 'accuracy/top1'
RULES = ('greater', 'less')
LESS = ('loss', 'nll', 'ece', 'error')  # how metrics end of which less is better


def without_selection(outcome: dict, history: list[dict] | None) -> dict:
    """What decides a run, but for how its best epoch is chosen while none has been evaluated: that may still be corrected.

    Args:
        outcome: of the run.
        history: the evaluations of its checkpoint.
    """
    return outcome if history else {key: value for key, value in outcome.items() if key != 'selection'}


@dataclass(frozen=True)
class Selection:
    """How the best of a run's evaluations is chosen; of equal ones the first.

    Args:
        metric: name of a metric; `auto` for the first that the evaluation gives; None for `accuracy/top1`, or the first where
            the evaluation does not give that.
        rule: `greater` or `less`; None for less of what ends in `loss`, `nll`, `ece` or `error`, greater of all else.

    Raises:
        UserError: the metric is no text, or the rule neither of the two.
    """

    metric: str | None = None
    rule: str | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.metric, (str, type(None))) or self.rule not in (*RULES, None):
            raise UserError(
                f"default_hooks.checkpoint takes save_best, the name of one metric, and rule, 'greater' or 'less', not "
                f'{self.metric!r} and {self.rule!r}.'
            )

    def name(self, metrics: dict[str, float]) -> str:
        """The metric's name among those of an evaluation.

        Raises:
            UserError: the evaluation does not give it.
        """
        if not metrics:
            raise UserError('the evaluation gives no metric: set val_evaluator.')
        wanted = USUAL if self.metric is None and USUAL in metrics else self.metric
        name = next(iter(metrics)) if wanted in (None, 'auto') else wanted
        if name not in metrics:
            raise UserError(
                f'default_hooks.checkpoint.save_best is {name!r}, which the evaluation does not give; it gives '
                f'{", ".join(metrics)}.'
            )
        return name

    def value(self, metrics: dict[str, float]) -> float:
        """How good an evaluation is: the larger the better."""
        name = self.name(metrics)
        rule = self.rule or ('less' if name.rsplit('/')[-1].endswith(LESS) else 'greater')
        return metrics[name] if rule == 'greater' else -metrics[name]

    def best(self, history: list[dict]) -> dict:
        """The best of the records `{epoch, metrics}`, at least one."""
        return max(history, key=lambda record: self.value(record['metrics']))
