"""What the tests of sources have in common."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.errors import SourceError
from pipeline.records import Reference
from pipeline.sources import SourceOptions, check_sources, read_sources

DEFAULT = SourceOptions()


def read(*sources: str | Path, options: SourceOptions = DEFAULT) -> list[Reference]:
    return list(read_sources([str(source) for source in sources], options))


def uris(*sources: str | Path, options: SourceOptions = DEFAULT) -> list[str]:
    return [found.uri for found in read(*sources, options=options)]


def refusal(*sources: str | Path, options: SourceOptions = DEFAULT) -> str:
    """The one sentence in which the sources are refused while they are read."""
    with pytest.raises(SourceError) as caught:
        read(*sources, options=options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def early_refusal(*sources: str | Path, options: SourceOptions = DEFAULT) -> str:
    """The same, and before there is a job."""
    with pytest.raises(SourceError) as caught:
        check_sources([str(source) for source in sources], options)
    assert str(caught.value) == refusal(*sources, options=options)
    return str(caught.value)


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def below(folder: Path, *names: str) -> list[str]:
    return [str(folder / name) for name in names]


def write(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path
