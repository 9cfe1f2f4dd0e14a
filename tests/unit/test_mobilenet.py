"""Our table of MobileNet v2 against torchvision's own module."""

from __future__ import annotations

from torchvision.models import mobilenet_v2

from workers.mobilenet import list_shapes


def test_the_tensors_are_torchvisions_own_in_its_order() -> None:
    wanted = mobilenet_v2(num_classes=7).state_dict()
    assert list(list_shapes(7).items()) == [(k, tuple(v.shape)) for k, v in wanted.items()]
