"""Distillation of features: by their direction, by their difference, by the relations between the images of a batch."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from mmlt.models.losses.inputs import widen


def cosine_feature_loss(student: Tensor, teacher: Tensor) -> Tensor:
    """One minus the cosine between the student's and the teacher's feature.

    Args:
        student: (B, C), any floating dtype.
        teacher: (B, C); no gradient flows into it.

    Returns:
        Scalar in [0, 2], float32 or wider, mean over the batch.
    """
    return (1 - F.cosine_similarity(widen(student), widen(teacher.detach()), dim=1)).mean()


def l2_feature_loss(student: Tensor, teacher: Tensor) -> Tensor:
    """Half the squared Euclidean distance between the student's and the teacher's feature.

    Args:
        student: (B, C), any floating dtype.
        teacher: (B, C); no gradient flows into it.

    Returns:
        Scalar, float32 or wider: sum over the channels, mean over the batch.

    Source: Romero et al., FitNets: Hints for Thin Deep Nets, ICLR 2015, eq. 3.
    """
    return 0.5 * (widen(student) - widen(teacher.detach())).square().sum(dim=1).mean()


def joined_features(features: Sequence[Tensor]) -> Tensor:
    """The features of several networks side by side: each of length one, and the whole again.

    Args:
        features: of each network (B, C_m), any floating dtype.

    Returns:
        (B, sum of C_m), rows of length one, float32 or wider.

    Source: Iscen et al., Class-Balanced Distillation for Long-Tailed Visual Recognition, BMVC 2021, and its code.
    """
    return F.normalize(torch.cat([F.normalize(widen(own), dim=1) for own in features], dim=1), dim=1)


def similarity_preserving_loss(student: Tensor, teacher: Tensor) -> Tensor:
    """Images that are alike to the teacher shall be alike to the student; the sizes of the features may differ.

    `1 / B^2 * || G_t - G_s ||_F^2`, `G` being the batch's products `h h^T`, (B, B), each row brought to length one.

    Args:
        student: (B, C), any floating dtype.
        teacher: (B, D); no gradient flows into it.

    Returns:
        Scalar, float32 or wider. Autocast does not reach the products.

    Source: Tung and Mori, Similarity-Preserving Knowledge Distillation, ICCV 2019, section 3.
    """
    with torch.autocast(student.device.type, enabled=False):
        ours, theirs = (F.normalize(h @ h.T, dim=1) for h in (widen(student), widen(teacher.detach())))
    return (theirs - ours).square().mean()
