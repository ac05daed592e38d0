"""Losses, backbones, heads and classifiers; the registry imports the parts when a name is first looked up."""
