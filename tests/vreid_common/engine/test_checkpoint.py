import os
import pickle
import random
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from fastreid.config import CfgNode
from fastreid.modeling import build_model
from safetensors.torch import save_file

from vreid_common.engine import Checkpointer
from vreid_common.engine.checkpoint import load_checkpoint_file
from vreid_common.errors import InputError
from vreid_common.weights import load_pretrained, read_checkpoint_header


def model_of(cfg: CfgNode, classes: int = 5, depth: str = "18x") -> torch.nn.Module:
    cfg.MODEL.HEADS.NUM_CLASSES = classes
    cfg.MODEL.BACKBONE.DEPTH = depth
    return build_model(cfg)


@pytest.mark.parametrize("kind", ["pth", "numpy pth", "pkl", "safetensors", "module. prefix", "bare state dict"])
def test_a11_files_of_every_kind_load_into_the_same_weights(kind: str, tiny: Callable[..., CfgNode], tmp_path: Path):
    source, target = model_of(tiny()), model_of(tiny())
    state = source.state_dict()
    path = tmp_path / ("m.safetensors" if kind == "safetensors" else "m.pkl" if kind == "pkl" else "m.pth")
    arrays = {key: value.numpy() for key, value in state.items()}
    if kind == "pkl":
        path.write_bytes(pickle.dumps({"model": arrays}))
    elif kind == "numpy pth":
        torch.save({"model": arrays}, path)
    elif kind == "safetensors":
        save_file(state, path)
    elif kind == "module. prefix":
        torch.save({"model": {f"module.{key}": value for key, value in state.items()}}, path)
    else:
        torch.save(state if kind == "bare state dict" else {"model": state}, path)
    Checkpointer(target).load(str(path), strict=True)
    for key, value in target.state_dict().items():
        torch.testing.assert_close(value, state[key], rtol=0, atol=0)


class Payload:
    def __reduce__(self):
        return os.system, ("echo run > /dev/null",)


@pytest.mark.parametrize("suffix", ["pth", "pkl"])
def test_code_in_a_checkpoint_is_refused(suffix: str, tmp_path: Path):
    path = tmp_path / f"evil.{suffix}"
    if suffix == "pkl":
        path.write_bytes(pickle.dumps({"model": Payload()}))
    else:
        torch.save({"model": Payload()}, path)
    with pytest.raises(InputError, match=rf"evil.{suffix} holds objects other than tensors \((posix|os).system\)"):
        load_checkpoint_file(str(path))


@pytest.mark.parametrize("suffix", ["pth", "pkl", "safetensors"])
@pytest.mark.parametrize("content", ["empty", "text", "random", "truncated"])
def test_damaged_files_are_named_and_no_unsafe_loading_is_advised(content: str, suffix: str, tmp_path: Path):
    torch.save({"model": {"a": torch.zeros(1000)}}, tmp_path / "whole.pth")
    contents = {
        "empty": b"",
        "text": b"# A project\n\nIts README.\n",
        "random": np.random.default_rng(0).bytes(1000),
        "truncated": (tmp_path / "whole.pth").read_bytes()[:2000],
    }
    path = tmp_path / f"broken.{suffix}"
    path.write_bytes(contents[content])
    with pytest.raises(InputError) as refused:
        load_checkpoint_file(str(path))
    assert str(refused.value) == f"{path} is not a checkpoint, or it is damaged."


@pytest.mark.parametrize("read", [load_checkpoint_file, lambda path: load_pretrained(torch.nn.Linear(50, 50), path)])
def test_a_flipped_bit_is_found_wherever_it_is(read: Callable[[str], object], tmp_path: Path):
    path = tmp_path / "m.pth"
    torch.save({"model": {"weight": torch.randn(50, 50), "bias": torch.randn(50)}, "epoch": 3}, path)
    whole, state = path.read_bytes(), load_checkpoint_file(str(path))["model"]
    draw = random.Random(0)
    places = [whole.index(state["weight"].numpy().tobytes()) + 5000, *(draw.randrange(len(whole)) for _ in range(60))]
    refused = []
    for place in places:
        damaged = bytearray(whole)
        damaged[place] ^= 1 << draw.randrange(8)
        path.write_bytes(damaged)
        try:
            read(str(path))
        except InputError as error:
            refused.append((place, str(error)))
            continue
        content = load_checkpoint_file(str(path))  # what lies between the entries of a zip is nothing
        assert content["epoch"] == 3
        assert all(torch.equal(content["model"][key], value) for key, value in state.items())
    said = re.compile("m.pth (is damaged: .* does not have its checksum|is not a checkpoint, or it is damaged)")
    assert [error for _, error in refused if not said.search(error)] == []
    assert places[0] in dict(refused)
    assert len(refused) > len(places) / 2


def test_files_that_were_saved_without_checksums_load(tmp_path: Path):
    torch.serialization.set_crc32_options(False)
    try:
        torch.save({"model": {"a": torch.ones(3)}}, tmp_path / "m.pth")
    finally:
        torch.serialization.set_crc32_options(True)
    assert load_checkpoint_file(str(tmp_path / "m.pth"))["model"]["a"].tolist() == [1, 1, 1]


def test_a_header_is_read_without_the_weights(tmp_path: Path):
    torch.save({"model": {"a": torch.ones(3)}, "epoch": 3, "manifest": {"classes": ["a"]}}, tmp_path / "m.pth")
    assert read_checkpoint_header(str(tmp_path / "m.pth")) == {"epoch": 3, "manifest": {"classes": ["a"]}}
    save_file({"a": torch.ones(3)}, tmp_path / "m.safetensors")
    assert read_checkpoint_header(str(tmp_path / "m.safetensors")) == {}


def test_a_folder_is_said_to_be_one(tiny: Callable[..., CfgNode], tmp_path: Path):
    with pytest.raises(InputError, match="is a folder, not a file"):
        Checkpointer(model_of(tiny())).load(str(tmp_path))


def test_missing_file_is_named(tiny: Callable[..., CfgNode]):
    with pytest.raises(InputError, match="nowhere.pth does not exist"):
        Checkpointer(model_of(tiny())).load("nowhere.pth")


def test_b16_a_checkpoint_of_another_depth_is_refused_with_its_first_key(tiny: Callable[..., CfgNode], tmp_path: Path):
    torch.save({"model": model_of(tiny()).state_dict()}, tmp_path / "r18.pth")
    with pytest.raises(InputError, match=r"r18.pth was made for another model: it lacks \d+ .* first backbone.layer1.2"):
        Checkpointer(model_of(tiny(), depth="34x")).load(str(tmp_path / "r18.pth"))


def test_b16_another_shape_is_refused_with_its_key(tiny: Callable[..., CfgNode], tmp_path: Path):
    state = model_of(tiny()).state_dict()
    state["backbone.conv1.weight"] = torch.zeros(64, 1, 7, 7)
    torch.save({"model": state}, tmp_path / "grey.pth")
    with pytest.raises(InputError, match=r"backbone.conv1.weight has shape \(64, 1, 7, 7\) there and \(64, 3, 7, 7\)"):
        Checkpointer(model_of(tiny())).load(str(tmp_path / "grey.pth"))


def test_a_classifier_of_other_identities_is_left_out(tiny: Callable[..., CfgNode], tmp_path: Path):
    torch.save({"model": model_of(tiny(), classes=9).state_dict()}, tmp_path / "nine.pth")
    model = model_of(tiny(), classes=5)
    own = model.heads.weight.detach().clone()
    Checkpointer(model).load(str(tmp_path / "nine.pth"), strict=True)
    torch.testing.assert_close(model.heads.weight.detach(), own)


def test_saving_is_atomic(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    checkpointer = Checkpointer(torch.nn.Linear(2, 2), str(tmp_path))
    checkpointer.save("model_0000", iteration=1)
    whole = (tmp_path / "model_0000.pth").read_bytes()

    def killed_half_way(data: dict, path: Path) -> None:
        Path(path).write_bytes(whole[:10])
        raise KeyboardInterrupt

    monkeypatch.setattr(torch, "save", killed_half_way)
    with pytest.raises(KeyboardInterrupt):
        checkpointer.save("model_0000", iteration=2)
    assert (tmp_path / "model_0000.pth").read_bytes() == whole
    assert sorted(p.name for p in tmp_path.iterdir()) == ["last_checkpoint", "model_0000.pth"]


def test_extra_state_comes_back(tmp_path: Path):
    checkpointer = Checkpointer(torch.nn.Linear(2, 2), str(tmp_path))
    checkpointer.save("model_0003", iteration=7, best_metric=1.5)
    assert np.isclose(checkpointer.resume_or_load("", resume=True)["best_metric"], 1.5)
