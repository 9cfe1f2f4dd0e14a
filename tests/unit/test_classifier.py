"""The classifier against the source's own snippet, and the weights that it refuses."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torchvision import transforms
from torchvision.models import MobileNet_V2_Weights, mobilenet_v2

from pipeline.errors import WeightsError
from pipeline.records import Precision
from workers.classifier.folding import fold_batch_norms
from workers.classifier.module import build_module
from workers.classifier.torch_classifier import TorchClassifier
from workers.weights import download_weights, file_sha256, find_weights, read_state
from workers.weights.labels import imagenet_labels
from workers.weights.published import cached_path

CPU = torch.device("cpu")


def lively_model(classes: int = 10) -> nn.Module:
    """Make a MobileNet v2 whose batch norms do something and whose answers differ."""
    torch.manual_seed(3)
    model: nn.Module = mobilenet_v2(num_classes=classes)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.uniform_(-0.2, 0.2)  # type: ignore[union-attr]
            module.running_var.uniform_(0.5, 1.5)  # type: ignore[union-attr]
    return model.eval()


def pixels(count: int = 4) -> Tensor:
    torch.manual_seed(5)
    return torch.randint(0, 256, (count, 224, 224, 3), dtype=torch.uint8)


@torch.inference_mode()
def snippet(model: nn.Module, images: Tensor, top_k: int) -> tuple[Tensor, Tensor]:
    """What the source does with decoded pixels, one image at a time."""
    normalize = transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
    rows = [
        torch.softmax(model(normalize(image.permute(2, 0, 1) / 255).unsqueeze(0))[0], 0)
        for image in images
    ]
    scores, indexes = torch.stack(rows).topk(top_k)
    return indexes, scores


@pytest.mark.parametrize("precision", [Precision.EXACT, Precision.AUTO])
def test_answers_and_scores_are_the_sources_own(precision: Precision) -> None:
    indexes, scores = snippet(lively_model(), pixels(), 5)
    found_indexes, found_scores = TorchClassifier(lively_model(), precision, CPU).classify(
        pixels(), 5
    )
    assert found_indexes == indexes.tolist()
    assert (torch.tensor(found_scores) - scores).abs().max() <= 1e-5


def test_fast_is_near_and_says_in_which_numbers_it_computes() -> None:
    _, scores = snippet(lively_model(), pixels(), 5)
    classifier = TorchClassifier(lively_model(), Precision.FAST, CPU)
    _, found = classifier.classify(pixels(), 5)
    assert (torch.tensor(found) - scores).abs().max() < 0.05
    assert classifier.name in ("torch-bfloat16", "torch-float32")


def test_top_k_is_cut_to_the_number_of_classes() -> None:
    indexes, _ = TorchClassifier(lively_model(3), Precision.AUTO, CPU).classify(pixels(1), 5)
    assert sorted(indexes[0]) == [0, 1, 2]


def test_folding_leaves_no_batch_norm_and_the_same_function() -> None:
    model, image = lively_model(), torch.rand(1, 3, 224, 224)
    with torch.inference_mode():
        before = model(image)
        folded = fold_batch_norms(model)
        assert not any(isinstance(m, nn.BatchNorm2d) for m in folded.modules())
        assert (folded(image) - before).abs().max() < 1e-4


# ------------------------------------------------------------------ weights


State = dict[str, Any]


def save_state(path: Path, change: Callable[[State], None] = lambda _: None) -> Path:
    state: State = dict(lively_model(4).state_dict())
    change(state)
    if path.suffix == ".safetensors":
        save_file(state, path)
    else:
        torch.save(state, path)
    return path


def label_file(path: Path, *labels: str) -> Path:
    path.write_text("\n".join(labels) + "\n", encoding="utf-8")
    return path


@pytest.mark.parametrize("suffix", [".safetensors", ".pt", ".pth"])
def test_a_state_dict_with_its_labels_is_taken(tmp_path: Path, suffix: str) -> None:
    path = save_state(tmp_path / f"birds{suffix}")
    found = find_weights(str(path), label_file(tmp_path / "labels.txt", "a", "b", "c", "d é"))
    assert found.name == "birds"
    assert found.labels == ("a", "b", "c", "d é")
    assert found.sha256 == file_sha256(path)
    assert build_module(read_state(path))(torch.rand(1, 3, 224, 224)).shape == (1, 4)


def test_a_trainers_checkpoint_of_a_wrapped_module_is_taken(tmp_path: Path) -> None:
    inner = {f"module.{key}": value for key, value in lively_model(4).state_dict().items()}
    torch.save({"state_dict": inner, "epoch": 3}, tmp_path / "a.pt")
    labels = label_file(tmp_path / "labels.txt", "a", "b", "c", "d")
    assert find_weights(str(tmp_path / "a.pt"), labels).labels == ("a", "b", "c", "d")


def test_labels_stored_with_safetensors_are_taken(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    save_file(lively_model(4).state_dict(), path, {"labels": json.dumps(["k", "l", "m", "n"])})
    assert find_weights(str(path)).labels == ("k", "l", "m", "n")


def test_half_precision_weights_are_widened(tmp_path: Path) -> None:
    def halve(state: State) -> None:
        state.update({k: v.half() for k, v in state.items() if v.is_floating_point()})

    path = save_state(tmp_path / "a.safetensors", halve)
    assert read_state(path)["classifier.1.bias"].dtype == np.float32


class Trap:
    """A pickle that runs code when it is loaded."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.mark,)


def test_a_pickle_with_code_is_refused_and_never_run(tmp_path: Path) -> None:
    path, mark = tmp_path / "evil.pt", tmp_path / "ran"
    path.write_bytes(pickle.dumps(Trap(mark)))
    with pytest.raises(WeightsError, match="no plain state dict"):
        find_weights(str(path))
    torch.save({"state_dict": Trap(mark)}, path)
    with pytest.raises(WeightsError, match="no plain state dict"):
        find_weights(str(path))
    assert not mark.exists()


def spoil_nan(state: State) -> None:
    state["features.3.conv.0.0.weight"][0] = float("nan")


def spoil_shape(state: State) -> None:
    state["features.0.0.weight"] = torch.zeros(16, 3, 3, 3)


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (spoil_nan, "NaN or infinity"),
        (spoil_shape, "no MobileNet v2.*features.0.0.weight"),
        (lambda state: state.pop("classifier.1.bias"), "no MobileNet v2"),
        (lambda state: state.update(extra=torch.zeros(1)), "no MobileNet v2.*extra"),
    ],
)
@pytest.mark.parametrize("suffix", [".safetensors", ".pt"])
def test_what_is_no_sound_mobilenet_is_refused(
    tmp_path: Path, suffix: str, spoil: Callable[[State], None], sentence: str
) -> None:
    path = save_state(tmp_path / f"a{suffix}", spoil)
    with pytest.raises(WeightsError, match=sentence):
        find_weights(str(path), label_file(tmp_path / "l.txt", "a", "b", "c", "d"))


@pytest.mark.parametrize(
    ("labels", "sentence"),
    [
        (("a", "b"), "has 4 classes, but .* has 2 labels"),
        (("a", "b", "b", "c"), "'b' stands twice"),
        (("a", "", "b", "c"), "line 2 .* is empty"),
    ],
)
def test_labels_that_do_not_fit_are_refused(
    tmp_path: Path, labels: tuple[str, ...], sentence: str
) -> None:
    path = save_state(tmp_path / "a.pt")
    with pytest.raises(WeightsError, match=sentence):
        find_weights(str(path), label_file(tmp_path / "l.txt", *labels))


def test_a_model_of_other_classes_needs_labels(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="has 4 classes, but no labels"):
        find_weights(str(save_state(tmp_path / "a.pt")))


@pytest.mark.parametrize("content", [b"", b"hello", b"\x89PNG\r\n\x1a\n", b"PK\x03\x04broken"])
@pytest.mark.parametrize("suffix", [".safetensors", ".pt", ".jpg"])
def test_a_file_of_something_else_is_refused(tmp_path: Path, suffix: str, content: bytes) -> None:
    path = tmp_path / f"a{suffix}"
    path.write_bytes(content)
    with pytest.raises(WeightsError):
        find_weights(str(path))


def test_a_missing_file_is_named_with_the_choices() -> None:
    with pytest.raises(WeightsError, match="nowhere is no file here, and none of demo"):
        find_weights("nowhere")


def test_imagenets_labels_are_torchvisions_but_unique_and_say_which_crane() -> None:
    labels = imagenet_labels(1000)
    theirs = MobileNet_V2_Weights.IMAGENET1K_V1.meta["categories"]
    # Older releases of it call two birds crane, and two garments maillot.
    assert {n for n, label in enumerate(theirs) if label != labels[n]} <= {134, 639}
    assert len(set(labels)) == 1000
    assert (labels[134], labels[517]) == ("crane bird", "crane")
    assert (labels[638], labels[639]) == ("maillot", "maillot tank suit")
    assert imagenet_labels(10) == ()


def test_the_usual_imagenet_label_file_is_made_unique(tmp_path: Path) -> None:
    usual = list(imagenet_labels(1000))
    usual[134], usual[639] = "crane", "maillot"
    from workers.weights.labels import read_labels

    assert read_labels(label_file(tmp_path / "classes.txt", *usual)) == imagenet_labels(1000)


def test_offline_without_a_cached_file_one_sentence_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    # A proxy on a closed loopback port: nothing leaves this machine.
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    with pytest.raises(WeightsError, match="not cached and cannot be downloaded.*weights download"):
        download_weights("IMAGENET1K_V1")


@pytest.mark.parametrize("name", ["IMAGENET1K_V1", "IMAGENET1K_V2"])
@pytest.mark.parametrize(
    "environment", [{"TORCH_HOME": "~/torch"}, {"XDG_CACHE_HOME": "/caches"}, {}]
)
def test_a_published_file_is_where_torchvision_keeps_it(
    monkeypatch: pytest.MonkeyPatch, name: str, environment: dict[str, str]
) -> None:
    monkeypatch.delenv("TORCH_HOME")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    for key, value in environment.items():
        monkeypatch.setenv(key, value)
    file = Path(MobileNet_V2_Weights[name].url).name
    assert cached_path(name) == Path(torch.hub.get_dir()) / "checkpoints" / file


def test_bfloat16_weights_are_widened(tmp_path: Path) -> None:
    def shorten(state: State) -> None:
        state.update({k: v.bfloat16() for k, v in state.items() if v.is_floating_point()})

    path = save_state(tmp_path / "a.safetensors", shorten)
    assert read_state(path)["classifier.1.bias"].dtype == np.float32


def test_who_only_submits_does_not_wait_for_torch() -> None:
    code = (
        "import sys, workers.submission, workers.local, workers.sampling\n"
        "workers.submission.find_weights('demo')\n"
        "sys.exit(any(name in sys.modules for name in ('torch', 'torchvision', 'openvino')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_damaged_cached_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    cached = tmp_path / "hub" / "checkpoints" / "mobilenet_v2-b0353104.pth"
    cached.parent.mkdir(parents=True)
    cached.write_bytes(b"half a file")
    with pytest.raises(WeightsError, match="is damaged; delete it"):
        download_weights("IMAGENET1K_V1")
