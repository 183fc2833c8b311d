import pytest
from matplotlib.figure import Figure

from vreid_common.errors import InputError
from vreid_common.report import save_figure

HEADS = {"png": b"\x89PNG", "pdf": b"%PDF", "svg": b"<?xml"}


@pytest.mark.parametrize("kind", HEADS)
def test_the_ending_names_the_format(tmp_path, kind):
    save_figure(Figure(), tmp_path / f"picture.{kind}")
    assert (tmp_path / f"picture.{kind}").read_bytes().startswith(HEADS[kind])
    assert [path.name for path in tmp_path.iterdir()] == [f"picture.{kind}"]


@pytest.mark.parametrize("name", ["picture", "picture.doc"])
def test_exception_no_such_format(tmp_path, name):
    with pytest.raises(InputError, match=r"end the name of a figure in one of .*\.png"):
        save_figure(Figure(), tmp_path / name)


def test_exception_no_such_folder(tmp_path):
    with pytest.raises(InputError, match="there is no folder"):
        save_figure(Figure(), tmp_path / "nowhere" / "picture.png")
