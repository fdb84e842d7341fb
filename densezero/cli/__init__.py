"""The command line: it parses the options, calls one function, and prints what was written."""
