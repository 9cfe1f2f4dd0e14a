"""The demo's training: what the model is shown, and that it learns from it."""

import io
from collections.abc import Iterator
from itertools import islice

import pytest
import torch
from PIL import Image
from torch import nn
from torch.nn.functional import cross_entropy
from torchvision.models import MobileNet_V2_Weights

from workers.demo.accuracy import measure_accuracy, normalise
from workers.demo.crops import Crops, draw_crop, draw_crops
from workers.demo.drawing import LABELS, draw_numbered
from workers.demo.training import Stage, batches, run_stage, settle_statistics


@pytest.fixture(autouse=True)
def known_seed() -> Iterator[None]:
    """Make torch's random numbers the same in every run, and put its state back."""
    with torch.random.fork_rng():
        torch.manual_seed(1)
        yield


@pytest.mark.parametrize("number", range(4))
def test_a_crop_is_what_the_sources_own_transform_makes_of_the_file(number: int) -> None:
    _, content = draw_numbered(number, seed=9)
    expected = MobileNet_V2_Weights.IMAGENET1K_V1.transforms()(Image.open(io.BytesIO(content)))
    crop = torch.from_numpy(draw_crop(number, seed=9)).permute(2, 0, 1)
    torch.testing.assert_close(normalise(crop[None])[0], expected)


def test_crops_drawn_in_processes_keep_their_order_and_their_labels() -> None:
    pixels, labels = draw_crops(3, seed=9, processes=1)
    assert labels.tolist() == [0, 1, 2]
    for number in range(3):
        assert (pixels[number].permute(1, 2, 0).numpy() == draw_crop(number, seed=9)).all()


def test_crops_go_through_the_labels_again_and_again() -> None:
    names = [draw_numbered(number, seed=9)[0] for number in range(len(LABELS) + 1)]
    assert names == [*LABELS, LABELS[0]]


def test_batches_are_of_the_size_asked_for_and_show_each_crop_once_in_an_epoch() -> None:
    crops = _plain_crops(10)
    epoch = list(islice(batches(crops, size_px=64, batch=4), 3))
    assert [tuple(pixels.shape) for pixels, _ in epoch] == [(n, 3, 64, 64) for n in (4, 4, 2)]
    assert sorted(torch.cat([labels for _, labels in epoch]).tolist()) == list(range(10))


def test_batches_keep_each_picture_with_its_label() -> None:
    crops = _plain_crops(10)
    for pixels, labels in islice(batches(crops, size_px=64, batch=5), 4):
        shown = normalise(crops[0][labels])[..., :64, :64]
        torch.testing.assert_close(pixels, shown, atol=1e-4, rtol=0)


def test_a_stage_brings_the_loss_down() -> None:
    crops, model = _plain_crops(4), _tiny_model(4)
    before = _loss(model, crops)
    run_stage(model, crops, Stage(size_px=32, batch=4, steps=60, rate=0.1))
    assert _loss(model, crops) < 0.5 * before


def test_settled_statistics_are_plain_means_of_the_crops_themselves() -> None:
    crops, norm = _plain_crops(32), nn.BatchNorm2d(3)
    norm.running_mean, norm.num_batches_tracked = torch.full((3,), 99.0), torch.tensor(50)
    settle_statistics(nn.Sequential(norm), crops, steps=2)
    expected = normalise(crops[0]).mean(dim=(0, 2, 3))
    torch.testing.assert_close(norm.running_mean, expected, atol=1e-3, rtol=1e-3)


def test_accuracy_is_the_share_of_right_answers_over_all_batches() -> None:
    class Third(nn.Module):
        def forward(self, pixels: torch.Tensor) -> torch.Tensor:
            return torch.eye(4)[2].expand(len(pixels), 4)

    pixels, labels = torch.zeros(40, 3, 8, 8, dtype=torch.uint8), torch.arange(40) % 4
    assert measure_accuracy(Third(), (pixels, labels)) == 0.25


def _plain_crops(count: int) -> Crops:
    """Return crops of one grey each, a different one for each label."""
    labels = torch.arange(count)
    greys = (labels * (255 // count)).to(torch.uint8).view(-1, 1, 1, 1)
    return greys.expand(count, 3, 224, 224).contiguous(), labels


def _tiny_model(classes: int) -> nn.Module:
    body = (nn.Conv2d(3, 8, 4, stride=4), nn.BatchNorm2d(8), nn.ReLU())
    return nn.Sequential(*body, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, classes))


def _loss(model: nn.Module, crops: Crops) -> float:
    """Return the mean loss in training mode at 64 pixels."""
    with torch.no_grad():
        return float(cross_entropy(model.train()(normalise(crops[0])[..., ::4, ::4]), crops[1]))
