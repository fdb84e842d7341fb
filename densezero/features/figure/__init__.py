"""Figures: the sheets they are drawn on, several encoders side by side, and heat maps of words."""
