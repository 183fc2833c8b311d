import io
import pickle
from collections import Counter, OrderedDict
from pathlib import Path

import numpy as np
import pytest

from vreid_common.data import DatasetError
from vreid_common.data.datasets.plain_pickle import load_plain_pickle

PLAIN = {
    "text": "车",
    "bytes": b"\x00\xff",
    "numbers": [1, -2.5, True, None, 10**30],
    "nested": ({"a": [()]}, {1, 2}, frozenset({3}), OrderedDict(b=1)),
    "scalars": [np.int64(7), np.float32(0.5), np.bool_(True), np.str_("x")],
}
ARRAYS = {
    "ints": np.arange(6).reshape(2, 3),
    "fortran": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    "swapped": np.arange(3, dtype=">i4"),
    "text": np.array(["a", "bcd"]),
    "empty": np.empty((0, 4), np.float16),
    "objects": np.array([[1, 2], "x", None], dtype=object),
}


def load(tmp_path: Path, data: bytes):
    path = tmp_path / "a.pkl"
    path.write_bytes(data)
    return load_plain_pickle(path)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_plain_values(tmp_path, protocol):
    assert load(tmp_path, pickle.dumps(PLAIN, protocol)) == PLAIN


@pytest.mark.parametrize("core", [b"numpy._core", b"numpy.core"])
@pytest.mark.parametrize("protocol", range(4))
def test_arrays_of_either_numpy(tmp_path, protocol, core):
    # Up to protocol 3 module names are lines of text, so that a name of another length can be put in.
    data = pickle.dumps(ARRAYS, protocol)
    for other in (b"numpy._core", b"numpy.core"):
        data = data.replace(b"c" + other + b".multiarray\n", b"c" + core + b".multiarray\n")
    found = load(tmp_path, data)
    assert found.keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(found[name], array)
        assert found[name].dtype == array.dtype.newbyteorder("=")  # NumPy swaps bytes when it reads


@pytest.mark.parametrize("protocol", [4, 5])
def test_arrays_of_later_protocols(tmp_path, protocol):
    found = load(tmp_path, pickle.dumps(ARRAYS, protocol))
    assert all((found[name] == array).all() for name, array in ARRAYS.items())
    found["ints"] = found["ints"] + 1  # and NumPy's own types are as they were
    assert np.dtype("i4").isnative


def test_strings_of_python_2(tmp_path):
    # {'name': 'a.jpg', 'id': 3} as Python 2.7's pickle.dumps(..., 2) writes it.
    data = b"\x80\x02}q\x00(U\x02idq\x01K\x03U\x04nameq\x02U\x05a.jpgq\x03u."
    assert load(tmp_path, data) == {"name": "a.jpg", "id": 3}


class Evil:
    def __init__(self, function, *arguments):
        self.call = (function, arguments)

    def __reduce__(self):
        return self.call


def _touch(path: str) -> None:
    Path(path).touch()


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_malicious_pickle_is_refused_and_not_run(tmp_path, protocol):
    mark = tmp_path / "run"
    evil = Evil(exec, f"open({str(mark)!r}, 'w').close()")
    for data in (evil, {"query_order": [evil]}, np.array([evil], dtype=object)):
        with pytest.raises(DatasetError, match=r"a\.pkl: it holds (builtins|__builtin__)\.exec; only plain containers"):
            load(tmp_path, pickle.dumps(data, protocol))
    assert not mark.exists()


@pytest.mark.parametrize(
    "value",
    [
        Path("x"), Counter("a"), Evil(getattr, "a", "upper"), np.memmap, np.load, Evil(bytearray, 10**12), Evil(bytes, 9),
        np.array([(1, 2)], dtype=[("a", "i4"), ("b", "i4")]), np.rec.array([1]), np.ma.array([1]), np.datetime64,
    ],
)  # fmt: skip
def test_anything_else_is_refused(tmp_path, value):
    with pytest.raises(DatasetError, match=r"Cannot read the pickle .*a\.pkl"):
        load(tmp_path, pickle.dumps(value))


@pytest.mark.parametrize(
    "data",
    [
        b"", b"garbage", b"\x80", pickle.dumps(PLAIN)[:-20], b"\x80\x09.",
        b"cnumpy\nndarray\n(I1\ntR.",  # ndarray itself, which would take any memory, cannot be called
        b"c_codecs\nencode\n(Vx\nVrot13\ntR.",
        b"cos\nsystem\n(S'true'\ntR.", b"(iposix\nsystem\n.", b"Pid\n.",
    ],
)  # fmt: skip
def test_damaged_and_hand_written_pickles(tmp_path, data):
    with pytest.raises(DatasetError, match=r"Cannot read the pickle"):
        load(tmp_path, data)


def test_a_missing_file(tmp_path):
    with pytest.raises(DatasetError, match="No such file"):
        load_plain_pickle(tmp_path / "none.pkl")


def test_the_plain_pickle_module_is_not_fooled_by_its_own_names(tmp_path):
    stream = io.BytesIO()
    pickle.Pickler(stream, 2).dump(load_plain_pickle)
    with pytest.raises(DatasetError, match="it holds vreid_common"):
        load(tmp_path, stream.getvalue())
