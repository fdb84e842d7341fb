"""Trains the embedded `nano` model: the TIPS recipe at small scale, on drawn scenes."""
