"""``python -m mobind_live``, and the console script."""

import sys


def main() -> None:
    """Ctrl-C while the command line itself is being imported is no traceback either."""
    try:
        from mobind_live.cli import app

        app()
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
