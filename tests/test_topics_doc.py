from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from messages import imu

from mobind_live.bus import Proxy, Publisher
from mobind_live.schema import TOPICS
from mobind_live.topics_doc import document, topic_text


def test_the_document_is_what_the_schema_says() -> None:
    written = (Path(__file__).parents[1] / "docs" / "topics.md").read_text()
    assert written == document(), "run: python -m mobind_live.topics_doc > docs/topics.md"


def test_the_subscriber_in_it_works() -> None:
    found = re.search(r"```python\n(.*?)```", document(), re.DOTALL)
    assert found
    with Proxy("tcp://127.0.0.1:*", "tcp://127.0.0.1:*") as proxy:
        code = found[1].replace("tcp://127.0.0.1:5572", proxy.subscribe_endpoint)
        command = [sys.executable, "-u", "-c", code]
        with (
            subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process,
            Publisher(proxy.publish_endpoint, wait_for_reader_ms=30_000) as publisher,
        ):
            publisher.send(imu(1))
            assert process.stdout
            assert process.stdout.readline().startswith("v1/imu/left/ 0 [0] [[")
            process.kill()


def test_every_topic_and_field_is_in_it() -> None:
    text = document()
    for row in TOPICS:
        assert f"| `{topic_text(row)}` |" in text
        assert f"\n## {row.message.type_name}\n" in text
    assert "| `v1/out/offset/<stream>/<camera>/` | [offset](#offset) | 2 Hz | 1000 | yes |" in text
    assert "| `keypoints` | array float32 (P, 17, 3) |" in text
    assert "### StreamHealth" in text
