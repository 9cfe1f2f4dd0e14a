"""Messages: what a chunk's worker needs, through JSON and back, also between versions."""

from __future__ import annotations

import json

import pytest

from pipeline.records import MESSAGE_VERSION, ImageRef, Message

_MESSAGE = Message(7, 3, 12, True, (ImageRef(0, "/a.jpg"), ImageRef(5, "https://b/ä.png")))


def test_a_message_survives_json() -> None:
    fields = json.loads(json.dumps(_MESSAGE.as_fields()))
    assert Message.read(tuple(fields)) == _MESSAGE


def test_fields_that_a_newer_version_appended_are_left_out() -> None:
    assert Message.read((*_MESSAGE.as_fields(), {"new": 1})) == _MESSAGE


def test_a_message_of_a_newer_version_is_refused() -> None:
    newer = (MESSAGE_VERSION + 1, *_MESSAGE.as_fields()[1:])
    with pytest.raises(ValueError, match=f"version {MESSAGE_VERSION + 1}"):
        Message.read(newer)


@pytest.mark.parametrize(
    "fields",
    [
        (),
        (1,),
        ("1", 7, 3, 12, False, []),
        (1, 7, 3, 12, 0, []),
        (1, 7, 3, None, False, []),
        (1, 7, 3, 12, False, {"0": "/a.jpg"}),
        (1, 7, 3, 12, False, [[0]]),
        (1, 7, 3, 12, False, [["0", "/a.jpg"]]),
        (1, 7, 3, 12, False, [[0, None]]),
    ],
)
def test_what_is_no_message_is_refused(fields: tuple[object, ...]) -> None:
    with pytest.raises(ValueError, match="it is no chunk|has no index or no uri"):
        Message.read(fields)
