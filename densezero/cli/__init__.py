"""The command line: parse, one call, say what was written. No logic."""
