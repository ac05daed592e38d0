"""Digit canvases: digits in two colours on 64x64 canvases in LVIS's format, 20 classes; 480 train, 270 test."""

train_dataloader = dict(batch_size=16, dataset=dict(type='DigitCanvases', split='train'), sampler=dict(type='ShuffleSampler'))
val_dataloader = dict(batch_size=32, dataset=dict(type='DigitCanvases', split='test'))
test_dataloader = val_dataloader

data_preprocessor = dict(type='DetectionPreprocessor', mean=(0.2, 0.2, 0.2), std=(0.2, 0.2, 0.2), divisor=4)
