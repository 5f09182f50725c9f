"""Weights from outside: whole models, bare networks, another number of classes, and everything that must be refused."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from mbti_core.contracts.model import InputSpec, ModelInfo
from mbti_core.data.fileref import Digests, FileRef
from mbti_core.engine.config import settings_class
from mbti_core.engine.keys import keyed
from mbti_core.errors import ConfigError, DataFormatError, DataUnavailableError
from mbti_core.plugins.manager import Registry

NAME = "shufflenet_v2_x1_0"


def build(name: str = NAME, classes: int = 10, side: int = 32, **settings: Any) -> nn.Module:
    info = ModelInfo(f"image/{name}", "image", InputSpec((3, side, side), "uint8", 0, 255), classes)
    model: nn.Module = Registry().find("model", name, "image").load()(info, **settings)
    return model


def bare(model: nn.Module) -> dict[str, torch.Tensor]:
    return model.get_submodule("net").state_dict()


class Evil:
    def __reduce__(self) -> tuple[Any, ...]:
        return (Path("/nowhere").write_text, ("ran",))


@pytest.mark.parametrize("suffix", ["safetensors", "pt"])
@pytest.mark.parametrize("whole", [True, False], ids=["whole", "bare"])
def test_a_file_gives_back_the_model(tmp_path: Path, suffix: str, whole: bool) -> None:
    other = build(mean=(0.1, 0.2, 0.3), std=(1.0, 1.0, 1.0))
    state = other.state_dict() if whole else bare(other)
    path = tmp_path / f"weights.{suffix}"
    save_file(state, path) if suffix == "safetensors" else torch.save({"state_dict": state}, path)
    got = build(pretrained=str(path))
    assert all(torch.equal(t, bare(got)[name]) for name, t in bare(other).items())
    assert torch.equal(got.state_dict()["normalize.mean"], other.state_dict()["normalize.mean"]) == whole


def test_a_folder_of_the_store_is_taken(tmp_path: Path) -> None:
    other = build()
    save_file(other.state_dict(), tmp_path / "weights.safetensors")
    assert all(torch.equal(t, other.state_dict()[n]) for n, t in build(pretrained=str(tmp_path)).state_dict().items())


def test_a_head_of_other_classes_stays_as_it_is(tmp_path: Path) -> None:
    other = build(classes=1000)
    save_file(bare(other), tmp_path / "w.safetensors")
    torch.manual_seed(torch.initial_seed())
    fresh = build(classes=10)
    torch.manual_seed(torch.initial_seed())
    got = build(classes=10, pretrained=str(tmp_path / "w.safetensors"))
    for name, tensor in bare(got).items():
        source = fresh if name.startswith("fc.") else other
        assert torch.equal(tensor, bare(source)[name])
    save_file({n: t for n, t in bare(other).items() if not n.startswith("fc.")}, tmp_path / "body.safetensors")
    assert build(classes=10, pretrained=str(tmp_path / "body.safetensors")) is not None


def test_a_tensor_of_another_shape_is_named_with_both(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    save_file(bare(build("resnet18", side=224)), path)
    message = "'conv1.weight' of shape (64, 3, 3, 3), found (64, 3, 7, 7)"
    with pytest.raises(DataFormatError, match=re.escape(message)) as caught:
        build("resnet18", pretrained=str(path))
    assert "stem" in caught.value.hint
    assert build("resnet18", pretrained=str(path), stem="imagenet") is not None


def test_missing_and_unknown_tensors_are_named(tmp_path: Path) -> None:
    state = bare(build())
    del state["conv5.0.weight"]
    save_file({**state, "extra": torch.zeros(1)}, tmp_path / "w.safetensors")
    with pytest.raises(DataFormatError, match=r"missing: 'conv5\.0\.weight'\. unknown: 'extra'\."):
        build(pretrained=str(tmp_path / "w.safetensors"))
    save_file({f"module.{n}": t for n, t in state.items()}, tmp_path / "parallel.safetensors")
    with pytest.raises(DataFormatError, match=r"unknown: 'module\..*' and \d+ more"):
        build(pretrained=str(tmp_path / "parallel.safetensors"))


def test_files_of_before_batchnorm_counted_are_taken(tmp_path: Path) -> None:
    state = {n: t for n, t in bare(build()).items() if not n.endswith("num_batches_tracked")}
    save_file(state, tmp_path / "w.safetensors")
    assert build(pretrained=str(tmp_path / "w.safetensors")) is not None


def test_code_in_a_checkpoint_is_refused_and_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "evil.pt"
    torch.save({"fc.weight": torch.zeros(1), "fc.bias": Evil()}, path)
    ran: list[Any] = []
    monkeypatch.setattr(Path, "write_text", lambda *args: ran.append(args))
    with pytest.raises(DataFormatError, match="without running code"):
        build(pretrained=str(path))
    torch.save(build(), path)
    with pytest.raises(DataFormatError, match="without running code"):
        build(pretrained=str(path))
    assert not ran


@pytest.mark.parametrize("content", [b"", b"no tensors at all"])
@pytest.mark.parametrize("suffix", ["pt", "safetensors"])
def test_a_damaged_file_is_named(tmp_path: Path, content: bytes, suffix: str) -> None:
    path = tmp_path / f"broken.{suffix}"
    path.write_bytes(content)
    with pytest.raises(DataFormatError, match=rf"broken\.{suffix}"):
        build(pretrained=str(path))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataUnavailableError, match=r"nowhere\.pt"):
        build(pretrained=str(tmp_path / "nowhere.pt"))


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(torch.hub, "_hub_dir", None)
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    return folder


def publish(folder: Path, name: str, state: dict[str, torch.Tensor], monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put a file into torch hub's cache, and let torchvision say that its name holds the right digest."""
    from torchvision import models

    torch.save(state, folder / "file")
    digest = hashlib.sha256((folder / "file").read_bytes()).hexdigest()
    path = (folder / "file").rename(folder / f"{name}-{digest[:8]}.pth")
    weights = models.get_model_weights(name).IMAGENET1K_V1
    monkeypatch.setattr(weights.value, "url", f"https://download.pytorch.org/models/{path.name}")
    return path


def test_named_weights_come_from_the_cache(hub: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = build(classes=1000)
    path = publish(hub, NAME, bare(other), monkeypatch)
    got = build(pretrained="IMAGENET1K_V1")
    assert torch.equal(bare(got)["conv5.0.weight"], bare(other)["conv5.0.weight"])
    torch.testing.assert_close(got.state_dict()["normalize.mean"].flatten(), torch.tensor([0.485, 0.456, 0.406]))
    path.write_bytes(path.read_bytes() + b"x")
    with pytest.raises(DataFormatError, match="sha256 that begins with"):
        build(pretrained="IMAGENET1K_V1")


def test_named_weights_that_are_not_there_say_where_they_belong(hub: Path) -> None:
    with pytest.raises(DataUnavailableError, match="downloads nothing") as caught:
        build("resnet18", pretrained="IMAGENET1K_V1")
    assert "https://download.pytorch.org/models/resnet18-f37072fd.pth" in caught.value.hint
    assert str(hub) in caught.value.message
    with pytest.raises(ConfigError, match="no weights 'IMAGENET1K_V2'") as wrong:
        build("resnet18", pretrained="IMAGENET1K_V2")
    assert "IMAGENET1K_V1" in wrong.value.hint


def test_published_auxiliary_heads_are_left_out(hub: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from torchvision import models

    whole = models.googlenet(num_classes=1000, aux_logits=True, init_weights=False)
    publish(hub, "googlenet", whole.state_dict(), monkeypatch)
    got = build("googlenet", side=224, pretrained="IMAGENET1K_V1")
    assert torch.equal(bare(got)["conv3.conv.weight"], whole.state_dict()["conv3.conv.weight"])
    torch.testing.assert_close(got.state_dict()["normalize.mean"].flatten(), torch.full((3,), 0.5))


def test_published_files_with_older_names_are_taken(hub: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = bare(build("densenet121", side=224, classes=1000))
    older = {re.sub(r"(denselayer\d+\.(?:norm|conv))([12]\.)", r"\1.\2", n): t for n, t in other.items()}
    assert "features.denseblock1.denselayer1.norm.1.weight" in older
    publish(hub, "densenet121", older, monkeypatch)
    got = bare(build("densenet121", side=224, pretrained="IMAGENET1K_V1"))
    assert all(torch.equal(got[n], t) for n, t in other.items() if not n.startswith("classifier."))


def test_a_path_enters_a_key_by_its_content_and_a_name_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    path.write_bytes(b"one")
    settings = settings_class(Registry().find("model", "resnet18", "image"))

    def entry(value: str | None) -> Any:
        plain = settings.model_validate({"pretrained": value}).model_dump(mode="json")
        return keyed(settings.model_validate(plain), Digests())["pretrained"]

    assert isinstance(settings.model_validate({"pretrained": str(path)}).pretrained, FileRef)  # type: ignore[attr-defined]  # a made class
    assert entry(str(path)) == Digests().of([path])
    assert entry("IMAGENET1K_V1") == "IMAGENET1K_V1"
    assert entry(None) is None
    with pytest.raises(DataUnavailableError, match="ResNet"):
        entry("ResNet")
    own = settings_class(Registry().find("model", "preactresnet18", "image"))
    assert isinstance(own.model_validate({"pretrained": "IMAGENET1K_V1"}).pretrained, FileRef)  # type: ignore[attr-defined]  # as above
