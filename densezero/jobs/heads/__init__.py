"""Trained heads over many images: ``depth`` and ``normals``, and labels for ``segment`` and ``evaluate``."""
