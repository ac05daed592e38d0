"""faster-coco-eval, the optional package that reads masks and counts detections."""

from types import ModuleType

from mmlt.errors import UserError


def coco_library() -> ModuleType:
    """The package `faster_coco_eval`, with its `mask` functions and `COCOeval_faster`.

    Raises:
        UserError: it is not installed.
    """
    try:
        import faster_coco_eval
        import faster_coco_eval.core.mask
    except ImportError as error:
        raise UserError(
            f'detection needs the package faster-coco-eval ({error}): install mmlt with its extra, '
            "pip install 'mmlt[detection]'."
        ) from error
    return faster_coco_eval
