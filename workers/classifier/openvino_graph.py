"""OpenVINO's graph of a MobileNet v2, made from torchvision's module: normalisation to softmax."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import openvino as ov
from openvino import opset13 as ops
from torch import Tensor, nn
from torchvision.models.mobilenetv2 import InvertedResidual

from workers.classifier.folding import fold_batch_norms
from workers.classifier.numbers import MEAN, STD

#: A value in the graph; OpenVINO comes without types.
Node = Any


def build_graph(model: nn.Module, batch: int) -> ov.Model:
    """Return the graph of ``model`` (its batch norms are folded in place) for batches of one size.

    It takes uint8 pixels of shape (batch, 224, 224, 3) and gives softmax scores as float32 of
    shape (batch, classes).
    """
    fold_batch_norms(model)
    pixels = ops.parameter([batch, 224, 224, 3], np.uint8)
    features = _walk(_normalised(pixels), model.get_submodule("features"))
    pooled = ops.reduce_mean(features, _constant(np.array([2, 3])), keep_dims=False)
    logits = _walk(pooled, model.get_submodule("classifier"))
    return ov.Model([ops.softmax(logits, 1)], [pixels], "mobilenet_v2")


def _normalised(pixels: Node) -> Node:
    """Apply ToTensor and Normalize as one multiplication and one addition."""
    planes = ops.transpose(ops.convert(pixels, "f32"), _constant(np.array([0, 3, 1, 2])))
    mean, deviation = (np.array(each).reshape(1, 3, 1, 1) for each in (MEAN, STD))
    scaled = ops.multiply(planes, _constant((1 / (255 * deviation)).astype(np.float32)))
    return ops.add(scaled, _constant((-mean / deviation).astype(np.float32)))


def _walk(node: Node, module: nn.Module) -> Node:
    match module:
        case nn.Conv2d():
            return _convolution(node, module)
        case nn.Linear():
            product = ops.matmul(node, _weights(module.weight), False, True)
            return ops.add(product, _weights(module.bias))
        case nn.ReLU6():
            return ops.clamp(node, 0.0, 6.0)
        case nn.Identity() | nn.Dropout():
            return node
        case InvertedResidual():
            inner = _walk(node, module.conv)
            return ops.add(node, inner) if module.use_res_connect else inner
        case nn.Sequential():
            for child in module.children():
                node = _walk(node, child)
            return node
    raise TypeError(f"a MobileNet v2 holds no {type(module).__name__}")


def _convolution(node: Node, module: nn.Conv2d) -> Node:
    stride, padding = list(module.stride), [int(side) for side in module.padding]
    weights = module.weight.detach()
    if module.groups == 1:
        found = ops.convolution(node, _weights(weights), stride, padding, padding, [1, 1])
    else:
        grouped = weights.reshape(module.groups, -1, *weights.shape[1:])
        found = ops.group_convolution(node, _weights(grouped), stride, padding, padding, [1, 1])
    if module.bias is None:
        return found
    return ops.add(found, _weights(module.bias.reshape(1, -1, 1, 1)))


def _weights(tensor: Tensor) -> Node:
    return _constant(tensor.detach().numpy())


def _constant(array: npt.NDArray[np.generic]) -> Node:
    return ops.constant(array)
