"""Feature pictures and raw grids: PCA, similarity, and what they share."""
