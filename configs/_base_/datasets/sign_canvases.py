"""Sign canvases: traffic signs of GTSRB on 96x96 canvases in LVIS's format, 43 classes; 560 train, 290 test."""

train_dataloader = dict(batch_size=16, dataset=dict(type='SignCanvases', split='train'), sampler=dict(type='ShuffleSampler'))
val_dataloader = dict(batch_size=32, dataset=dict(type='SignCanvases', split='test'))
test_dataloader = val_dataloader

data_preprocessor = dict(type='DetectionPreprocessor', mean=(0.2, 0.2, 0.2), std=(0.2, 0.2, 0.2), divisor=4)
