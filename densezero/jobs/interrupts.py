"""Remembers that Ctrl-C or SIGTERM came: a compiled library may replace the interrupt by an error of its own."""


class Interrupts:
    """Whether this process was asked to stop."""

    came = False
