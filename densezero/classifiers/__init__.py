"""Classifiers of patch features, fitted to images with masks, in place of words."""
