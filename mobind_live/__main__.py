"""``python -m mobind_live``, and the console script."""

import os
import signal
import sys


def main() -> None:
    """Ctrl-C ends it even while the command line is being imported, and is no traceback."""
    before = signal.getsignal(signal.SIGINT)
    if before is signal.default_int_handler:
        # Not by an exception: raised in one of the import system's callbacks, it would be lost.
        signal.signal(signal.SIGINT, lambda *_: os._exit(130))
    from mobind_live.cli import app

    if before is signal.default_int_handler:
        signal.signal(signal.SIGINT, before)
    try:
        app()
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
