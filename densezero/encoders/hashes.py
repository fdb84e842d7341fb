"""What the hashes of weights cover, as a number that results carry. Importing this loads no torch."""

from typing import Final

HASH_VERSION: Final = 2
"""1: the weight files. 2: everything that changes a vector, so the configuration and the tokenizer too."""

OLD_HASHES: Final = "before 0.2.0, whose hashes leave out the model's configuration and tokenizer"
"""Follows "a version of densezero" in a message about a result with hashes of version 1."""
