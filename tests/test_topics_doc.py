from __future__ import annotations

from pathlib import Path

from mobind_live.schema import TOPICS
from mobind_live.topics_doc import document


def test_the_document_is_what_the_schema_says() -> None:
    written = (Path(__file__).parents[1] / "docs" / "topics.md").read_text()
    assert written == document(), "run: python -m mobind_live.topics_doc > docs/topics.md"


def test_every_topic_and_field_is_in_it() -> None:
    text = document()
    for row in TOPICS:
        assert f"| `{row.pattern}` |" in text
        assert f"\n## {row.message.type_name}\n" in text
    assert "| `keypoints` | array float32 (P, 17, 3) |" in text
    assert "### StreamHealth" in text
