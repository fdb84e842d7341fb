"""Reports of evaluations, their figures, and tables with the published numbers."""
