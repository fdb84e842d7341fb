"""Long work over many images: few at a time in memory, with progress, a manifest, and resuming after a stop."""
