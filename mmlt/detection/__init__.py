"""Detectors for long-tailed objects (LVIS), on torchvision's detection models; an optional extra (`mmlt[detection]`)."""

from mmlt.detection.backbones import MobileNetV3FPN, ResNetFPN, SmallConvNet
from mmlt.detection.batch import DetectionBatch
from mmlt.detection.box_losses import (
    BalancedSigmoidBoxLoss,
    BalancedSoftmaxBoxLoss,
    BoxLoss,
    EqualizationBoxLoss,
    SeesawBoxLoss,
    SigmoidBoxLoss,
    SoftmaxBoxLoss,
)
from mmlt.detection.datasets import CocoDataset, DetectionDataset, LVISDataset
from mmlt.detection.detector import FasterRCNN, MaskRCNN
from mmlt.detection.generated import DigitCanvases, SignCanvases
from mmlt.detection.metric import CocoMetric, LVISMetric
from mmlt.detection.preprocessor import DetectionPreprocessor
from mmlt.detection.transforms import TorchvisionTransform

__all__ = [
    'BalancedSigmoidBoxLoss',
    'BalancedSoftmaxBoxLoss',
    'BoxLoss',
    'CocoDataset',
    'CocoMetric',
    'DetectionBatch',
    'DetectionDataset',
    'DetectionPreprocessor',
    'DigitCanvases',
    'EqualizationBoxLoss',
    'FasterRCNN',
    'LVISDataset',
    'LVISMetric',
    'MaskRCNN',
    'MobileNetV3FPN',
    'ResNetFPN',
    'SeesawBoxLoss',
    'SigmoidBoxLoss',
    'SignCanvases',
    'SmallConvNet',
    'SoftmaxBoxLoss',
    'TorchvisionTransform',
]
