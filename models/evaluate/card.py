"""Puts measured tables into the model card: ``python -m mobind_live.models.evaluate.card CARD A.json ...``.

Each file is one that ``mobind-live eval --json`` wrote. What stands between the two marks is replaced.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from mobind_live.models.errors import DatasetError, answered
from mobind_live.models.evaluate.table import markdown
from mobind_live.models.output import write

BEGIN, END = "<!-- tables: made by mobind_live.models.evaluate.card -->", "<!-- end of tables -->"


def tables(paths: list[Path]) -> str:
    """The tables of the JSON files, in the order given. Raises DatasetError."""
    parts = []
    for path in paths:
        try:
            document = json.loads(path.read_text())
            subjects = ", ".join(str(subject) for subject in document["subjects"])
            title = document["dataset"] + (f", subjects {subjects}" if subjects else "")
            title += f" (weights: {document['checkpoint']}, seed {document['seed']})"
            parts.append(markdown(title, document["metrics"], document["peers"]))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise DatasetError(f"{path}: not what `mobind-live eval --json` writes") from error
    return "\n".join(parts)


def filled(card: str, text: str) -> str:
    """The card with ``text`` between its marks. Raises DatasetError where it has none."""
    head, begin, rest = card.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not begin or not end:
        raise DatasetError(f"the card has no marks {BEGIN} and {END}")
    return f"{head}{begin}\n\n{text}\n{end}{tail}"


def main(words: list[str]) -> int:
    """The command: 0, or 2 and one line on stderr."""
    if len(words) < 2:
        sys.stderr.write("usage: python -m mobind_live.models.evaluate.card CARD.md A.json [B.json ...]\n")
        return 2
    card = Path(words[0])
    return answered(
        lambda: write(card, filled(card.read_text(), tables([Path(word) for word in words[1:]])).encode())
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
