"""RIDE's recipe: 200 epochs, SGD 0.1 with Nesterov, weight decay 5e-4, warm-up, x0.01 after 160 epochs, again after 180."""

_base_ = ['ldam_200e.py']

optim_wrapper = dict(optimizer=dict(weight_decay=5e-4, nesterov=True))
