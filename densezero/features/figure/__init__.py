"""Figures of features: pages, comparisons of encoders, and heat maps of texts."""
