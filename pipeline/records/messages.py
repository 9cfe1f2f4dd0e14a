"""A message: one chunk on its way through the broker."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.records.images import ImageRef
from pipeline.records.words import Priority

#: The version of the message's fields; a worker leaves newer ones to newer workers.
MESSAGE_VERSION = 1


@dataclass(frozen=True, slots=True)
class Message:
    """What a worker needs to begin: the chunk, the token it was sent with, its open images.

    ``solo``: it was lost before, and goes into its worker's engine alone. ``priority`` is the
    queue that it goes through, and no part of what is sent.
    """

    job_id: int
    number: int
    token: int
    solo: bool
    images: tuple[ImageRef, ...]
    priority: Priority = Priority.BULK

    def as_fields(self) -> tuple[object, ...]:
        """Return ``version job chunk token solo [[index, uri], ...]``, as JSON can hold them."""
        images = [[image.index, image.uri] for image in self.images]
        return (MESSAGE_VERSION, self.job_id, self.number, self.token, self.solo, images)

    @staticmethod
    def read(fields: tuple[object, ...]) -> Message:
        """Return the message of these fields; ones that a newer version added are left out.

        Raises ValueError for a newer version, or for what is no message at all.
        """
        match fields:
            case [int(version), *_] if version > MESSAGE_VERSION:
                raise ValueError(f"it has version {version}, and {MESSAGE_VERSION} is known here")
            case [int(), int(job_id), int(number), int(token), bool(solo), list(images), *_]:
                return Message(job_id, number, token, solo, tuple(map(_read_image, images)))
        raise ValueError("it is no chunk")


def _read_image(pair: object) -> ImageRef:
    match pair:
        case [int(index), str(uri)]:
            return ImageRef(index, uri)
    raise ValueError("an image of it has no index or no uri")
