"""PCA pictures, similarity maps and raw feature grids."""
