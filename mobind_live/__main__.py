"""``python -m mobind_live``."""

from mobind_live.cli import main

if __name__ == "__main__":
    main()
