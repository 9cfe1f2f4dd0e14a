"""OpenVINO's graph of a MobileNet v2, from the pixels through normalisation to softmax."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import openvino as ov
from openvino import opset13 as ops

from workers.classifier.numbers import MEAN, STD
from workers.mobilenet import Block, Convolution, list_blocks
from workers.weights import State

#: torchvision's (torch's own) epsilon of a batch norm.
_EPSILON = 1e-5

#: A value in the graph; OpenVINO comes without types.
Node = Any


def build_graph(state: State, batch: int) -> ov.Model:
    """Return the graph of a checked state dict for batches of one size.

    It takes uint8 pixels of shape (batch, 224, 224, 3) and gives softmax scores as float32 of
    shape (batch, classes).
    """
    pixels = ops.parameter([batch, 224, 224, 3], np.uint8)
    node = _normalised(pixels)
    for block in list_blocks():
        node = _block(node, block, state)
    pooled = ops.reduce_mean(node, ops.constant(np.array([2, 3])), keep_dims=False)
    weights, bias = (ops.constant(state[f"classifier.1.{name}"]) for name in ("weight", "bias"))
    logits = ops.add(ops.matmul(pooled, weights, False, True), bias)
    return ov.Model([ops.softmax(logits, 1)], [pixels], "mobilenet_v2")


def _normalised(pixels: Node) -> Node:
    """Apply ToTensor and Normalize as one multiplication and one addition."""
    planes = ops.transpose(ops.convert(pixels, "f32"), ops.constant(np.array([0, 3, 1, 2])))
    mean, deviation = (np.array(each).reshape(1, 3, 1, 1) for each in (MEAN, STD))
    scaled = ops.multiply(planes, _constant(1 / (255 * deviation)))
    return ops.add(scaled, _constant(-mean / deviation))


def _block(node: Node, block: Block, state: State) -> Node:
    given = node
    for convolution in block.convolutions:
        node = _convolution(node, convolution, state)
    return ops.add(given, node) if block.residual else node


def _convolution(node: Node, each: Convolution, state: State) -> Node:
    weights, bias = _folded(each, state)
    stride, padding = [each.stride] * 2, [(each.kernel - 1) // 2] * 2
    if each.groups == 1:
        found = ops.convolution(node, _constant(weights), stride, padding, padding, [1, 1])
    else:
        grouped = _constant(weights[:, np.newaxis])
        found = ops.group_convolution(node, grouped, stride, padding, padding, [1, 1])
    shifted = ops.add(found, _constant(bias.reshape(1, -1, 1, 1)))
    return ops.clamp(shifted, 0.0, 6.0) if each.clamped else shifted


def _folded(each: Convolution, state: State) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Return a convolution's weights and bias with its batch norm folded in, in float64."""
    names = ("weight", "bias", "running_mean", "running_var")
    gamma, beta, mean, variance = (state[f"{each.norm}.{name}"].astype(float) for name in names)
    scale = gamma / np.sqrt(variance + _EPSILON)
    return state[f"{each.weights}.weight"] * scale.reshape(-1, 1, 1, 1), beta - mean * scale


def _constant(array: npt.NDArray[Any]) -> Node:
    return ops.constant(array.astype(np.float32))
