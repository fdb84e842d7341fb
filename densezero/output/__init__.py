"""Output formats, one module each. A file is either complete or not there."""
