"""Features from .npy and .npz, and files that are missing, damaged or hold something else."""

import io
import zipfile

import numpy as np
import pytest
import torch

from vreid_common.errors import InputError
from vreid_common.structures import FeatureSet
from vreid_common.structures.feature_files import read_features

FEATURES = np.random.default_rng(0).normal(size=(5, 3))


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_npy_is_features_alone(tmp_path, dtype):
    np.save(tmp_path / "a.npy", np.asfortranarray(FEATURES.astype(dtype)))
    found = read_features(tmp_path / "a.npy")
    np.testing.assert_array_equal(found.features, FEATURES.astype(dtype).astype(np.float32))
    assert set(found.pids.tolist()) == set(found.track_ids.tolist()) == {-1}


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_npz_has_what_labels_there_are(tmp_path, save):
    save(tmp_path / "a.npz", features=FEATURES, pids=np.arange(5, dtype=np.uint8), paths=np.array(list("abcde")))
    found = read_features(str(tmp_path / "a.npz"))
    assert found.features.dtype == torch.float32
    assert found.pids.tolist() == [0, 1, 2, 3, 4]
    assert found.camids.tolist() == [-1] * 5
    assert found.paths == ("a", "b", "c", "d", "e")


@pytest.mark.parametrize("name", ["a", "a.safetensors", "a.json"])
def test_feature_set(tmp_path, name):
    FeatureSet.create(FEATURES, range(5)).save(tmp_path / "a")
    assert torch.equal(read_features(tmp_path / name).features, torch.from_numpy(FEATURES).float())


@pytest.mark.parametrize("name", ["a.npy", "a.npz", "a.safetensors"])
def test_missing(tmp_path, name):
    with pytest.raises(InputError, match=rf"There is no file .*{name}\.|{name} is missing"):
        read_features(tmp_path / name)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("r.mat", "is a MATLAB file, not features: read it with scipy.io.loadmat and save its arrays with numpy.savez"),
        ("q.csv", "is a CSV file, not features: name labels with --labels"),
        ("car.jpg", "is an image, not features: write its features first with vreid extract"),
        ("clip.mp4", "is a video, not features: write its features first"),
        ("model.pth", "is a checkpoint, not features: nothing is unpickled here"),
        ("features.txt", "is a list, not features."),
        ("features", "is of another kind, not features."),
    ],
)
def test_file_of_another_kind(tmp_path, name, said):
    (tmp_path / name).write_bytes(b"x")
    with pytest.raises(InputError, match="Features are read from .safetensors with its .json .*, .npz and .npy") as error:
        read_features(tmp_path / name)
    assert f"{tmp_path / name} {said}" in str(error.value)


def test_folder_and_backslashes(tmp_path):
    with pytest.raises(InputError, match="is a folder, not features: write the features of its images first"):
        read_features(tmp_path)
    with pytest.raises(InputError, match=r"There is no file features\\query: the path has backslashes, write features/query\."):
        read_features("features\\query")


def npy_header(shape: tuple[int, ...], dtype: str) -> bytes:
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {"descr": dtype, "fortran_order": False, "shape": shape})
    return file.getvalue()


@pytest.mark.parametrize(
    ("shape", "dtype", "said"),
    [
        ((10**12, 512), "<f4", r"claims 1,000,000,000,000 x 512 of float32, .* bytes, but 16 follow"),
        ((10**12, 0), "<f4", "which hold nothing"),
        ((-4, 1), "<f4", "cannot be read as"),
    ],
)
def test_header_that_claims_more_than_the_file_holds(tmp_path, shape, dtype, said):
    content = npy_header(shape, dtype) + bytes(16)
    (tmp_path / "a.npy").write_bytes(content)
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("features.npy", content)
    for name in ("a.npy", "a.npz"):
        with pytest.raises(InputError, match=rf"{name}.* {said}"):
            read_features(tmp_path / name)


def test_labels_are_looked_at_before_they_are_read_and_strange_arrays_are_not_read(tmp_path):
    np.savez(tmp_path / "a.npz", features=FEATURES)
    with zipfile.ZipFile(tmp_path / "a.npz", "a") as archive:
        archive.writestr("huge.npy", npy_header((10**12,), "<i8"))
    assert len(read_features(tmp_path / "a.npz")) == 5
    with zipfile.ZipFile(tmp_path / "a.npz", "a") as archive:
        archive.writestr("pids.npy", npy_header((10**12,), "<i8"))
    with pytest.raises(InputError, match=r"a\.npz: pids\.npy claims 1,000,000,000,000 rows of int64"):
        read_features(tmp_path / "a.npz")


def test_deflate_bomb_is_not_unpacked(tmp_path):
    rows = 1 << 22
    with (
        zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("features.npy", "w", force_zip64=True) as member,
    ):
        member.write(npy_header((rows, 32), "<f4"))
        for _ in range(64):
            member.write(bytes(rows * 2))
    assert (tmp_path / "a.npz").stat().st_size < 1 << 20
    with pytest.raises(
        InputError, match=r"features\.npy would unpack to 536,871,\d+ bytes out of \d+,\d+, which no features do"
    ):
        read_features(tmp_path / "a.npz")


def test_encrypted_archive(tmp_path):
    np.savez(tmp_path / "a.npz", features=FEATURES)
    content = bytearray((tmp_path / "a.npz").read_bytes())
    for mark, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(mark) + place] |= 1
    (tmp_path / "a.npz").write_bytes(content)
    with pytest.raises(InputError, match=r"a\.npz cannot be read"):
        read_features(tmp_path / "a.npz")


@pytest.mark.parametrize("name", ["a.npy", "a.npz"])
@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 no zip", b"\x93NUMPY\x01\x00", b"\x80\x04K\x01."])
def test_damaged(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=rf"{name} cannot be read as \.np. without pickled objects"):
        read_features(tmp_path / name)


@pytest.mark.parametrize("cut", [0.3, 0.9])
def test_cut_short(tmp_path, cut):
    np.savez(tmp_path / "a.npz", features=FEATURES, pids=np.arange(5))
    whole = (tmp_path / "a.npz").read_bytes()
    (tmp_path / "a.npz").write_bytes(whole[: int(cut * len(whole))])
    with pytest.raises(InputError, match=r"a\.npz cannot be read"):
        read_features(tmp_path / "a.npz")


def test_nothing_is_unpickled(tmp_path):
    np.savez(tmp_path / "a.npz", features=FEATURES, pids=np.array([object()] * 5))
    np.save(tmp_path / "a.npy", np.array([object()]), allow_pickle=True)
    for name in ("a.npz", "a.npy"):
        with pytest.raises(InputError, match="without pickled objects"):
            read_features(tmp_path / name)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"feats": FEATURES}, "has no array 'features', but feats"),
        ({}, "has no array 'features', and no other"),
        ({"features": FEATURES, "pids": np.full(5, 2**63, np.uint64)}, r"pids are below 2\*\*63"),
        ({"features": FEATURES[0]}, r"features are an \(N, D\) array of floats, got float64 \(3,\)"),
        ({"features": np.ones((5, 3), int)}, r"array of floats, got int64"),
        ({"features": FEATURES, "pids": np.arange(4)}, r"pids are \(5,\) whole numbers, .* got int64 \(4,\)"),
        ({"features": FEATURES, "camids": np.ones(5)}, r"camids are \(5,\) whole numbers, .* got float64 \(5,\)"),
        ({"features": FEATURES, "paths": np.arange(5)}, r"paths are \(5,\) strings"),
        ({"features": np.where(FEATURES > 1, np.nan, FEATURES)}, r"a\.npz: The feature in row \d .*not finite"),
    ],
)
def test_arrays_that_do_not_fit(tmp_path, arrays, message):
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(InputError, match=message):
        read_features(tmp_path / "a.npz")
