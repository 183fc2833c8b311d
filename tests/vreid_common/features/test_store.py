"""FeatureStore: what is written is read, damage is found, and nobody else can write."""

import json
import re
import shutil

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save_file

from vreid_common.errors import InputError
from vreid_common.features import open_store, shard_size
from vreid_common.files import WriteError

IDENTITY = {"models": ["a"], "images": "b"}


def filled(root, count=10, size=4, dim=3):
    """A whole store; returns its folder and features."""
    features = torch.randn(count, dim, generator=torch.Generator().manual_seed(0))
    with open_store(root, IDENTITY, count, size) as store:
        for shard in reversed(store.missing()):
            store.write(shard, features[list(store.images(shard))])
        assert store.missing() == []
    return store.folder, features


def test_what_was_written_in_any_order_is_read_in_order(tmp_path):
    folder, features = filled(tmp_path)
    with open_store(tmp_path, IDENTITY, 10, 4) as store:
        assert torch.equal(store.load(), features)
    assert sorted(path.name for path in folder.iterdir()) == [
        "shard-00000.safetensors", "shard-00001.safetensors", "shard-00002.safetensors", "store.json",
    ]  # fmt: skip


def test_non_contiguous_features(tmp_path):
    features = torch.randn(6, 4).T
    with open_store(tmp_path, IDENTITY, 4, 4) as store:
        store.write(0, features)
        assert torch.equal(store.load(), features)


def test_missing_shards(tmp_path):
    folder, features = filled(tmp_path)
    (folder / "shard-00001.safetensors").unlink()
    with open_store(tmp_path, IDENTITY, 10, 4) as store:
        assert store.missing() == [1]
        assert store.images(1) == range(4, 8)
        store.write(1, features[4:8])
        assert torch.equal(store.load(), features)


def test_a_store_keeps_its_shards(tmp_path):
    """A run that goes on with another batch size cuts the images as the first run did."""
    filled(tmp_path)
    with open_store(tmp_path, IDENTITY, 10, 7) as store:
        assert store.shard_size == 4
        assert store.missing() == []


def test_another_identity_is_another_store(tmp_path):
    filled(tmp_path)
    with open_store(tmp_path, IDENTITY | {"images": "c"}, 10, 4) as store:
        assert store.missing() == [0, 1, 2]
    assert len(list(tmp_path.iterdir())) == 2


def test_what_a_killed_process_left_unfinished_is_cleared(tmp_path):
    folder, _ = filled(tmp_path)
    unfinished = folder / ".shard-00001.safetensors.123.tmp"
    unfinished.write_bytes(b"half")
    with open_store(tmp_path, IDENTITY, 10, 4):
        assert not unfinished.exists()


def truncate(path):
    path.write_bytes(path.read_bytes()[:-5])


def flip_a_bit(path):
    content = bytearray(path.read_bytes())
    content[-3] ^= 4
    path.write_bytes(content)


def exchange(path):
    shutil.copy(path.with_name("shard-00000.safetensors"), path)


def strip_metadata(path):
    save_file({"features": torch.zeros(4, 3)}, path)


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (truncate, "."),
        (flip_a_bit, "its checksum is wrong"),
        (exchange, "it belongs somewhere else"),
        (strip_metadata, "it belongs somewhere else"),
        (lambda path: path.write_bytes(b""), "."),
        (lambda path: path.write_bytes(b"\xff" * 64), "."),
    ],
)
def test_a_damaged_shard_is_found_before_anything_is_extracted(tmp_path, damage, reason):
    folder, features = filled(tmp_path)
    shard = folder / "shard-00001.safetensors"
    damage(shard)
    sentence = rf"^{re.escape(str(shard))} is damaged \(.*{reason}.*\): delete it, and the same command extracts"
    with pytest.raises(InputError, match=sentence) as caught, open_store(tmp_path, IDENTITY, 10, 4):
        pytest.fail("opened a damaged store")
    assert "\n" not in str(caught.value)
    shard.unlink()  # what the sentence says helps
    with open_store(tmp_path, IDENTITY, 10, 4) as store:
        store.write(1, features[4:8])
        assert torch.equal(store.load(), features)


def test_shards_of_different_dimensions(tmp_path):
    with open_store(tmp_path, IDENTITY, 8, 4) as store:
        store.write(0, torch.zeros(4, 3))
        store.write(1, torch.zeros(4, 5))
        with pytest.raises(InputError, match=r"shard-00001.safetensors is damaged \(5 dimensions after 3\)"):
            store.load()


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": "vreid-store-1"}', "null"])
def test_a_damaged_record(tmp_path, text):
    folder, _ = filled(tmp_path)
    (folder / "store.json").write_text(text)
    with pytest.raises(InputError, match=r"store.json is damaged or of another store: delete the folder"):
        open_store(tmp_path, IDENTITY, 10, 4).__enter__()


def test_a_record_of_another_store(tmp_path):
    folder, _ = filled(tmp_path)
    record = json.loads((folder / "store.json").read_text())
    (folder / "store.json").write_text(json.dumps(record | {"identity": {}}))
    with pytest.raises(InputError, match="damaged or of another store"):
        open_store(tmp_path, IDENTITY, 10, 4).__enter__()


def test_two_runs_do_not_write_at_once(tmp_path):
    with open_store(tmp_path, IDENTITY, 10, 4):
        with pytest.raises(InputError, match="Another run is extracting into"):
            open_store(tmp_path, IDENTITY, 10, 4).__enter__()
        with open_store(tmp_path, {}, 10, 4):
            pass  # another store
    with open_store(tmp_path, IDENTITY, 10, 4):
        pass


def test_a_root_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="Cannot write into .*file"):
        open_store(tmp_path / "file", IDENTITY, 10, 4).__enter__()


def test_a_disk_that_does_not_take_a_shard(tmp_path, monkeypatch):
    def full(*_args, **_kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("vreid_common.features.store.save_file", full)
    with (
        open_store(tmp_path, IDENTITY, 4, 4) as store,
        pytest.raises(WriteError, match=r"shard-00000.safetensors cannot be written: no room is left"),
    ):
        store.write(0, torch.zeros(4, 2))


@pytest.mark.parametrize("features", [torch.zeros(3, 2), torch.zeros(4), torch.zeros(4, 2).double()])
def test_features_that_do_not_fit(tmp_path, features):
    with open_store(tmp_path, IDENTITY, 4, 4) as store, pytest.raises(ValueError, match="Shard 0 holds 4 images"):
        store.write(0, features)


@given(st.integers(1, 2_000_000), st.integers(1, 1000))
def test_shard_size(images, batch):
    size = shard_size(images, batch)
    assert size % batch == 0
    assert size == batch or size <= 512
    assert -(-images // size) <= 64 or size > 512 - batch
