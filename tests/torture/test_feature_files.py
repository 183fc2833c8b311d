"""Feature files that cannot be what they are given as, through vreid evaluate."""

import json
import shutil
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest

from vreid_common.structures import FeatureSet

FEATURES = np.random.default_rng(0).normal(size=(6, 4)).astype(np.float32)
PIDS, CAMIDS = np.array([0, 1, 2, 0, 1, 2]), np.array([0, 0, 0, 1, 1, 1])


@pytest.fixture
def gallery(tmp_path: Path) -> Path:
    """A sound feature set, as .safetensors and .json."""
    FeatureSet.create(FEATURES, PIDS, CAMIDS + 1).save(tmp_path / "gallery")
    return tmp_path / "gallery"


ARRAYS = {
    "no features": ({"pids": PIDS}, ["features", "pids"]),
    "nothing": ({}, ["features"]),
    "features of one dimension": ({"features": FEATURES[0]}, ["(N, D)"]),
    "whole numbers as features": ({"features": np.ones((6, 4), int)}, ["floats"]),
    "complex features": ({"features": FEATURES + 1j}, ["floats"]),
    "NaN": ({"features": np.full((6, 4), np.nan, np.float32), "pids": PIDS}, ["not finite", "row 0"]),
    "infinity": ({"features": np.where(np.eye(6, 4) > 0, np.inf, 0).astype(np.float32), "pids": PIDS}, ["not finite"]),
    "no images": ({"features": FEATURES[:0], "pids": PIDS[:0]}, []),
    "no dimensions": ({"features": FEATURES[:, :0], "pids": PIDS}, []),
    "other dimensions than the gallery's": ({"features": FEATURES[:, :3], "pids": PIDS}, ["3", "4"]),
    "fewer labels": ({"features": FEATURES, "pids": PIDS[:5]}, ["pids", "(5,)"]),
    "labels with a point": ({"features": FEATURES, "pids": PIDS + 0.5}, ["pids"]),
    "labels beyond 64 bits": ({"features": FEATURES, "pids": PIDS.astype(np.uint64) + np.uint64(2**63)}, ["pids"]),
    "paths that are numbers": ({"features": FEATURES, "pids": PIDS, "paths": PIDS}, ["paths"]),
    "too few paths": ({"features": FEATURES, "pids": PIDS, "paths": np.array(["a"])}, ["paths"]),
    "no labels": ({"features": FEATURES}, []),
    "objects": ({"features": np.array([None] * 6, object)}, ["q.npz"]),
}


@pytest.mark.parametrize(("arrays", "holds"), ARRAYS.values(), ids=ARRAYS.keys())
def test_arrays(arrays: dict[str, np.ndarray], holds: list[str], gallery: Path, tmp_path: Path, refused):
    np.savez(tmp_path / "q.npz", **arrays)
    refused("evaluate", "--query", tmp_path / "q.npz", "--gallery", gallery, holds=holds)


def _npy(shape: str, kind: str = "<f4", content: bytes = b"") -> bytes:
    header = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + content


BYTES = {
    "q.npy": {
        "empty": b"",
        "a text": b"features",
        "a header alone": _npy("(6, 4)"),
        "a header that claims a trillion rows": _npy("(1000000000000, 512)"),
        "a header with more than 64 bits": _npy("(99999999999999999999999, 4)"),
        "a negative shape": _npy("(-6, 4)", content=b"\0" * 96),
        "a pickle": b"\x80\x04\x95\x10\x00\x00\x00\x00\x00\x00\x00\x8c\x05posix",
        "objects": _npy("(6, 4)", "|O", b"\0" * 96),
    },
    "q.npz": {
        "empty": b"",
        "no zip": b"PK\x03\x04 and then nothing",
        "half a zip": b"PK\x03\x04" + b"\0" * 200,
    },
    "q.safetensors": {
        "empty": b"",
        "a header of a terabyte": struct.pack("<Q", 2**40) + b"{}",
        "a header that is no JSON": struct.pack("<Q", 4) + b"{[}]",
        "a text": b"features, features, features",
    },
}


@pytest.mark.parametrize(
    ("name", "content"),
    [pytest.param(name, content, id=f"{name}: {kind}") for name, of in BYTES.items() for kind, content in of.items()],
)
def test_bytes(name: str, content: bytes, gallery: Path, tmp_path: Path, refused):
    (tmp_path / name).write_bytes(content)
    if name.endswith(".safetensors"):
        shutil.copy(tmp_path / "gallery.json", tmp_path / "q.json")
    refused("evaluate", "--query", tmp_path / name, "--gallery", gallery, holds=[name])


@pytest.mark.parametrize("shape", ["(1000000000000, 4)", "(250000000, 4)"], ids=["a lie", "a deflate bomb"])
def test_a_small_file_of_many_rows(shape: str, gallery: Path, tmp_path: Path, refused):
    with zipfile.ZipFile(tmp_path / "q.npz", "w", zipfile.ZIP_DEFLATED) as file, file.open("features.npy", "w") as member:
        member.write(_npy(shape))
        if shape.startswith("(25"):
            for _ in range(64):
                member.write(bytes(2**20))
    refused("evaluate", "--query", tmp_path / "q.npz", "--gallery", gallery, holds=["q.npz"])


def _without(record: dict, name: str) -> dict:
    return {key: value for key, value in record.items() if key != name}


RECORDS = {
    "another format": lambda record: record | {"format": "features-9"},
    "no format": lambda record: _without(record, "format"),
    "no paths": lambda record: _without(record, "paths"),
    "paths that are numbers": lambda record: record | {"paths": [1] * 6},
    "too few paths": lambda record: record | {"paths": [""] * 5},
    "the list of another file": lambda record: record | {"mark": "0" * 32},
    "a list": lambda record: [record],
}


@pytest.mark.parametrize("change", RECORDS.values(), ids=RECORDS.keys())
def test_records(change, gallery: Path, refused):
    path = gallery.with_suffix(".json")
    path.write_text(json.dumps(change(json.loads(path.read_text()))))
    refused("evaluate", "--query", gallery, "--gallery", gallery, holds=["gallery"])


def test_a_flipped_bit(gallery: Path, refused):
    path = gallery.with_suffix(".safetensors")
    content = bytearray(path.read_bytes())
    content[-9] ^= 1
    path.write_bytes(content)
    refused("evaluate", "--query", gallery, "--gallery", gallery, holds=["gallery.safetensors"])


@pytest.mark.parametrize("missing", [".json", ".safetensors"])
def test_half_of_a_pair(missing: str, gallery: Path, refused):
    gallery.with_suffix(missing).unlink()
    refused("evaluate", "--query", gallery, "--gallery", gallery, holds=[f"gallery{missing}"])


@pytest.mark.parametrize(
    ("name", "holds"),
    [
        ("r.mat", ["r.mat", ".npz"]),
        ("r.h5", ["r.h5", ".npz"]),
        ("r.pkl", ["r.pkl", ".npz"]),
        ("r.csv", ["r.csv", ".npz"]),
        ("gone", ["gone.safetensors"]),
        ("folder", ["folder"]),
        ("", ["--query"]),
    ],
)
def test_no_feature_file(name: str, holds: list[str], gallery: Path, tmp_path: Path, refused):
    if name == "folder":
        (tmp_path / name).mkdir()
    elif name.startswith("r."):
        (tmp_path / name).write_bytes(b"something")
    refused("evaluate", "--query", tmp_path / name if name else "", "--gallery", gallery, holds=holds if name else [])


ARGUMENTS = {
    "a protocol that is not there": (["--protocol", "Guess"], ["Guess"]),
    "tracks that are not there": (["--protocol", "ImageToTrack"], ["track"]),
    "output in no folder": (["--json", "gone/plain.json"], ["gone"]),
    "output that is a folder": (["--json", "."], ["folder"]),
}


@pytest.mark.parametrize(("arguments", "holds"), ARGUMENTS.values(), ids=ARGUMENTS.keys())
def test_arguments(arguments: list[str], holds: list[str], gallery: Path, refused):
    refused("evaluate", "--query", gallery, "--gallery", gallery, *arguments, holds=holds)


STEPS = {
    "a step that is not there": (["--steps", "k_recip"], ["k_recip", "k_reciprocal"]),
    "a step twice": (["--steps", "k_reciprocal,k_reciprocal"], ["k_reciprocal"]),
    "an order that makes no sense": (["--steps", "k_reciprocal,database_augmentation"], ["database_augmentation"]),
    "tracks that are not there": (["--steps", "tracklet_distance"], ["track"]),
    "further features that are not there": (["--steps", "fuse_distances"], ["fuse_distances"]),
    "k1 of 0": (["--steps", "k_reciprocal", "--set", "k_reciprocal.k1=0"], ["k1", "0"]),
    "k1 that is no number": (["--steps", "k_reciprocal", "--set", "k_reciprocal.k1=many"], ["k1", "many"]),
    "a parameter that is not there": (["--steps", "k_reciprocal", "--set", "k_reciprocal.k3=1"], ["k3", "k1"]),
    "a parameter of another step": (["--steps", "k_reciprocal", "--set", "diffusion.k=1"], ["diffusion"]),
    "no value": (["--steps", "k_reciprocal", "--set", "k_reciprocal.k1"], ["k_reciprocal.k1"]),
}


@pytest.mark.parametrize(("arguments", "holds"), STEPS.values(), ids=STEPS.keys())
def test_steps(arguments: list[str], holds: list[str], gallery: Path, refused):
    refused("rerank", "--query", gallery, "--gallery", gallery, *arguments, holds=holds)


def test_further_features_in_another_order(gallery: Path, tmp_path: Path, refused):
    FeatureSet.create(FEATURES, PIDS, CAMIDS, paths=[f"{row}.jpg" for row in range(6)]).save(tmp_path / "right")
    FeatureSet.create(FEATURES, PIDS, CAMIDS, paths=[f"{5 - row}.jpg" for row in range(6)]).save(tmp_path / "other")
    sides = ["--query", tmp_path / "right", "--gallery", tmp_path / "right"]
    further = ["--further", "camera", tmp_path / "right", tmp_path / "other"]
    refused("rerank", *sides, *further, "--steps", "fuse_distances", holds=["other", "order"])
