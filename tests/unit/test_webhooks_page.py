"""The page about webhooks keeps its promises: its Python verifies what the workers sign."""

from __future__ import annotations

import re
import shlex
import time
from pathlib import Path
from typing import Any

import pytest
from cli_words import find_unknown

from pipeline.webhooks.message import sign
from pipeline.webhooks.standing import Webhook, webhook_dict, webhook_sentence

_PAGE = (Path(__file__).parents[2] / "docs" / "webhooks.md").read_text(encoding="utf-8")


def is_ours(*given: Any) -> bool:
    found = re.search(r"^```python\n(.*?)^```", _PAGE, re.MULTILINE | re.DOTALL)
    assert found
    names: dict[str, Any] = {}
    exec(found[1], names)
    return bool(names["is_ours"](*given))


def test_the_snippet_of_the_page_knows_our_signature() -> None:
    body, now = b'{"event": "job.completed"}', int(time.time())
    signature = sign(body, "secret", now)
    assert is_ours(body, signature, "secret")
    assert not is_ours(body + b" ", signature, "secret")
    assert not is_ours(body, signature, "another")
    assert not is_ours(body, sign(body, "secret", now - 400), "secret")


@pytest.mark.parametrize("command", re.findall(r"`imagemill ([^`]+)`", _PAGE))
def test_every_command_that_the_page_names_exists(command: str) -> None:
    assert not find_unknown(shlex.split(command))


@pytest.mark.parametrize(
    ("webhook", "sentence"),
    [
        (("waiting", 0, None), "waits for the job's end: https://a.example/x?***"),
        (("waiting", 1, "no"), "to be tried again after 1 try: https://a.example/x?*** (no)"),
        (("failed", 12, "no"), "given up after 12 tries: https://a.example/x?*** (no)"),
        (("delivered", 2, None), "delivered to https://a.example/x?*** (2 tries)"),
    ],
)
def test_people_read_how_a_webhook_stands_without_its_query(
    webhook: tuple[str, int, str | None], sentence: str
) -> None:
    state, attempts, reason = webhook
    shown = Webhook("https://a.example/x?key=secret", state, attempts, None, reason, None)
    assert webhook_sentence(shown) == sentence
    told = webhook_dict(shown)
    assert told
    assert told["url"] == "https://a.example/x?***"
    assert webhook_dict(None) is None
