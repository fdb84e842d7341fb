"""The TIPS recipe at small scale on drawn scenes; makes the embedded `nano` model."""
