"""What adds up to a training loss: the base of every term."""

from abc import abstractmethod

from torch import Tensor, nn

from mmlt.models.step import Step


class Term(nn.Module):
    """One part of a training loss, called with the `Step`; a subclass defines `forward` and what else it needs.

    Attributes:
        views: how many views of each image it needs.
        together: whether the views must pass through the network as one batch.
        roles: which teachers it needs, by the name of their prerequisite.
        labels: what it takes as target: `one` label an image, int64 (B,); `many`, float (B, K); a tuple of these.
        takes_class_weights: whether the class weights of `reweighting` change it.
        unmixable: why it cannot learn from mixed images, in a few words; None where it can.
        balanced_by: in words, how it moves the class prior of the network's logits towards a uniform one; None if it does not.
        prior_taken: the power of the class prior that it takes out of the logits, where `balanced_by` says something.
        output_scale: by what the network's logits are multiplied in a prediction, where this is the loss of the labels.
        former_names: how its parts were called in checkpoints before they stood in a term, `{old prefix: new prefix}`.
    """

    views = 1
    together = False
    roles: tuple[str, ...] = ()
    labels: tuple[str, ...] = ('one',)
    takes_class_weights = False
    unmixable: str | None = None
    balanced_by: str | None = None
    prior_taken: float = 1.0
    output_scale: float = 1.0
    former_names: dict[str, str] = {}

    def bind(self, model: nn.Module) -> None:
        """Build what depends on the network, once that is built.

        Args:
            model: the `LongTailedClassifier`, which tells `num_classes`, `num_experts` and `feature_channels`, and has its
                `backbone`, `neck` and `head`.

        Raises:
            UserError: the term cannot work with this network.
        """

    def init_weights(self) -> None:
        """Begin once the weights of the network are initialised."""

    def set_class_counts(self, class_counts: Tensor) -> None:
        """Take the training images of each class, int64 (K,)."""

    def set_length(self, steps: int, batch_size: int, epochs: int) -> None:
        """The run has `epochs` epochs of `steps` steps of `batch_size` images over all ranks; called before it.

        The class counts are known then.
        """

    def notice(self) -> str | None:
        """What a user should know of this term before the run; None for nothing."""

    def kept_state(self) -> dict:
        """What a resumed run needs beside parameters and buffers: plain data and tensors, the same on all ranks."""
        return {}

    def load_kept_state(self, state: dict) -> None:
        """Go on from `kept_state`."""

    def begin_epoch(self, epoch: int) -> None:
        """An epoch, counted from 0, begins, perhaps in its midst after a resume."""

    def end_step(self, updated: bool) -> None:
        """A step is done.

        Args:
            updated: whether the weights changed; not so while gradients are added up.
        """

    @abstractmethod
    def forward(self, step: Step) -> dict[str, Tensor]:
        """The losses of a step by name, scalars; each name contains `loss`, and all are added up."""
