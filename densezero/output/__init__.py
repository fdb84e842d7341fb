"""What a result is written as: one file per format, one writer that fans out, every file whole or absent."""
