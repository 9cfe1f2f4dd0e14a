"""A decoder that decodes nothing, in a module that loader processes can import."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.fetch.downloads import Got
from pipeline.fetch.limits import Fetched
from pipeline.records import FileFacts, Score
from workers.decoder import Decoded, Decoder, Reuse


@dataclass(frozen=True, slots=True)
class Undecoded(Decoder):
    """Takes the bytes and looks at none of them."""

    def decode_fetched(self, got: Got, reuse: Reuse | None) -> Decoded:
        assert isinstance(got.result, Fetched), got.result
        facts = FileFacts(len(got.result.data))
        return Decoded(None, None, facts, got.read_ms, scores=(Score(0, 1.0),))
