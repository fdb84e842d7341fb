"""densezero inside other tools, one file for each. Importing this package imports none of them."""
