"""Long work over many images: stream, go on after a stop, keep a manifest, tell the progress."""
