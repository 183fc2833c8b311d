import pytest

from vreid_common.data.datasets.lists import read_rows, whole_number
from vreid_common.structures import UNKNOWN

COLUMNS = {"image": str, "vehicle": whole_number}


@pytest.mark.parametrize(
    "data",
    [
        b"a 1\nb 22\n",
        b"a 1\r\nb 22",
        b"\xef\xbb\xbf  a   1 \r\n\r\n b\t22 further columns \r\n \r\n",
        "a 1 黑色\nb 22 白色".encode("gb2312"),
    ],
)
def test_warts(tmp_path, data):
    path = tmp_path / "list.txt"
    path.write_bytes(data)
    faults = []
    assert read_rows(path, COLUMNS, faults) == [("a", 1), ("b", 22)]
    assert not faults


def test_optional_columns(tmp_path):
    path = tmp_path / "list.txt"
    path.write_text("a 1 5\nb 2\nc 3 x\n")
    faults = []
    assert read_rows(path, COLUMNS, faults, optional={"color": whole_number}) == [("a", 1, 5), ("b", 2, UNKNOWN)]
    assert faults == [f"{path}, row 3: expected 'image vehicle [color]', got 'c 3 x'."]


def test_every_faulty_row_is_one_sentence(tmp_path):
    path = tmp_path / "list.txt"
    path.write_text("a\n\nb two\nc 3\nd -4\ne 1_000\nf 9999999999999999999\ng ²\n")
    faults = []
    assert read_rows(path, COLUMNS, faults) == [("c", 3)]
    assert [fault.split(": ")[0] for fault in faults] == [f"{path}, row {row}" for row in (1, 3, 5, 6, 7, 8)]
    assert faults[0] == f"{path}, row 1: expected 'image vehicle', got 'a'."


@pytest.mark.parametrize(
    ("data", "said"), [(b" \r\n\n", "is empty: expected 'image vehicle'"), (b"\xff\xff a 1", "Cannot read the list")]
)
def test_no_list(tmp_path, data, said):
    path = tmp_path / "list.txt"
    path.write_bytes(data)
    faults = []
    assert read_rows(path, COLUMNS, faults) == []
    assert len(faults) == 1
    assert said in faults[0]
    assert str(path) in faults[0]
