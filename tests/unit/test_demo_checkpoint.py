"""The demo's checkpoint: whole, small, and right about pictures that it never saw."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torchvision.models import mobilenet_v2

from workers.demo.accuracy import load_model, measure_accuracy
from workers.demo.checkpoint import CHECKPOINT, read_checkpoint, write_checkpoint
from workers.demo.crops import draw_crop
from workers.demo.drawing import LABELS
from workers.demo.training import HELD_OUT_SEED, TRAINING_SEED

UNSEEN_SEED = 3


@pytest.fixture(autouse=True)
def two_threads() -> Iterator[None]:
    """Keep torch from taking a whole machine; what other tests set is put back."""
    before = torch.get_num_threads()
    torch.set_num_threads(min(2, before))
    yield
    torch.set_num_threads(before)


def test_the_checkpoint_is_under_6_megabytes() -> None:
    assert CHECKPOINT.stat().st_size < 6_000_000


def test_the_checkpoint_knows_the_labels_that_are_drawn() -> None:
    _, labels = read_checkpoint()
    assert labels == LABELS


def test_the_checkpoint_loads_strictly_into_torchvisions_mobilenet_v2() -> None:
    state, labels = read_checkpoint()
    mobilenet_v2(num_classes=len(labels)).load_state_dict(state, strict=True)


def test_every_stored_value_is_a_finite_float16_and_no_variance_is_zero() -> None:
    state, _ = read_checkpoint()
    for name, tensor in state.items():
        assert tensor.dtype == (torch.int64 if "num_batches" in name else torch.float16)
        assert tensor.isfinite().all(), name
        assert not name.endswith("running_var") or tensor.min() > 0, name


def test_the_checkpoint_is_right_about_98_percent_of_120_pictures_never_seen() -> None:
    assert UNSEEN_SEED not in (TRAINING_SEED, HELD_OUT_SEED)
    crops = [torch.from_numpy(draw_crop(number, UNSEEN_SEED)) for number in range(120)]
    truth = torch.arange(120) % len(LABELS)
    pixels = torch.stack(crops).permute(0, 3, 1, 2)
    assert measure_accuracy(load_model(CHECKPOINT), (pixels, truth)) >= 0.98


def test_a_checkpoint_is_read_as_it_was_written(tmp_path: Path) -> None:
    state = {"weight": torch.tensor([1.5, -2.0]), "num_batches_tracked": torch.tensor(7)}
    write_checkpoint(state, ("cat", "dog"), tmp_path / "file.safetensors")
    stored, labels = read_checkpoint(tmp_path / "file.safetensors")
    assert labels == ("cat", "dog")
    assert stored["weight"].dtype == torch.float16
    assert stored["weight"].tolist() == [1.5, -2.0]
    assert stored["num_batches_tracked"].item() == 7


def test_a_value_beyond_float16_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="weight has values that float16 cannot hold"):
        write_checkpoint({"weight": torch.tensor([1e6])}, ("cat",), tmp_path / "file.safetensors")
    assert not list(tmp_path.iterdir())


def test_a_tiny_variance_is_kept_above_zero(tmp_path: Path) -> None:
    state = {"norm.running_var": torch.tensor([1e-12, 2.0])}
    write_checkpoint(state, ("cat",), tmp_path / "file.safetensors")
    stored, _ = read_checkpoint(tmp_path / "file.safetensors")
    assert stored["norm.running_var"].min() > 6e-5
    assert stored["norm.running_var"].max() == 2.0
