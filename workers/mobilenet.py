"""MobileNet v2 as torchvision lays it out: its convolutions, and the shape of each tensor."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

#: Expansion, output channels, repetitions and first stride of each stage of inverted residuals:
#: Sandler et al., "MobileNetV2: Inverted Residuals and Linear Bottlenecks", 2018, table 2.
_STAGES = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)
_FIRST, _LAST = 32, 1280

#: What torchvision calls the tensors of a batch norm.
_NORM = ("weight", "bias", "running_mean", "running_var")


@dataclass(frozen=True, slots=True)
class Convolution:
    """A convolution without bias, the batch norm behind it, and whether ReLU6 follows.

    ``weights`` and ``norm`` are the beginnings of their tensors' names. A depthwise one has as
    many ``groups`` as channels.
    """

    weights: str
    norm: str
    inputs: int
    outputs: int
    kernel: int = 1
    stride: int = 1
    groups: int = 1
    clamped: bool = True


@dataclass(frozen=True, slots=True)
class Block:
    """Convolutions one after the other; a ``residual`` block adds its input to what they give."""

    convolutions: tuple[Convolution, ...]
    residual: bool = False


def list_blocks() -> Iterator[Block]:
    """Yield the blocks from the pixels to the features of shape (n, 1280, 7, 7)."""
    yield Block((_plain(0, 3, _FIRST, 3, 2),))
    number, channels = 1, _FIRST
    for expansion, outputs, repetitions, first_stride in _STAGES:
        for repetition in range(repetitions):
            stride = 1 if repetition else first_stride
            yield _inverted_residual(number, channels, outputs, expansion, stride)
            number, channels = number + 1, outputs
    yield Block((_plain(number, channels, _LAST, 1, 1),))


def list_shapes(classes: int) -> dict[str, tuple[int, ...]]:
    """Return the name and the shape of each tensor in a state dict of torchvision's."""
    shapes: dict[str, tuple[int, ...]] = {}
    for block in list_blocks():
        for each in block.convolutions:
            width = each.inputs // each.groups
            shapes[f"{each.weights}.weight"] = (each.outputs, width, each.kernel, each.kernel)
            shapes |= {f"{each.norm}.{tensor}": (each.outputs,) for tensor in _NORM}
            shapes[f"{each.norm}.num_batches_tracked"] = ()
    return shapes | {"classifier.1.weight": (classes, _LAST), "classifier.1.bias": (classes,)}


def _plain(number: int, inputs: int, outputs: int, kernel: int, stride: int) -> Convolution:
    name = f"features.{number}"
    return Convolution(f"{name}.0", f"{name}.1", inputs, outputs, kernel, stride)


def _inverted_residual(
    number: int, inputs: int, outputs: int, expansion: int, stride: int
) -> Block:
    name, hidden = f"features.{number}.conv", inputs * expansion
    expand = Convolution(f"{name}.0.0", f"{name}.0.1", inputs, hidden)
    at = 1 if expansion > 1 else 0
    depthwise = Convolution(
        *(f"{name}.{at}.0", f"{name}.{at}.1", hidden, hidden, 3, stride), groups=hidden
    )
    project = Convolution(f"{name}.{at + 1}", f"{name}.{at + 2}", hidden, outputs, clamped=False)
    convolutions = (expand, depthwise, project) if expansion > 1 else (depthwise, project)
    return Block(convolutions, residual=stride == 1 and inputs == outputs)
