"""Remembers that Ctrl-C or SIGTERM came: a compiled library may replace the interrupt by an error of its own."""

from typing import Final

GO_ON: Final = "interrupted; run the same command again to go on"


class Interrupts:
    """Whether this process was asked to stop."""

    came = False

    @classmethod
    def check(cls) -> None:
        """Raise ``KeyboardInterrupt`` again if this process was asked to stop, and a library lost the first one."""
        if cls.came:
            raise KeyboardInterrupt
