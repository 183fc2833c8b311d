import pytest

from vreid_common.data import DatasetError
from vreid_common.data.datasets.xml_labels import label_number, read_xml_labels

ITEMS = '<TrainingImages><Items><Item imageName="{name}" vehicleID="0001" cameraID="c002" note="车" /></Items></TrainingImages>'


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize(
    ("declared", "encoding"), [("gb2312", "gb2312"), ("GBK", "gbk"), ("utf-8", "utf-8"), (None, "utf-8-sig")]
)
def test_encodings(tmp_path, declared, encoding, newline):
    head = f"<?xml version='1.0' encoding='{declared}'?>{newline}" if declared else ""
    path = tmp_path / "labels.xml"
    path.write_bytes((head + ITEMS.format(name="a.jpg") + newline).encode(encoding))
    assert read_xml_labels(path) == {"a.jpg": {"imageName": "a.jpg", "vehicleID": "0001", "cameraID": "c002", "note": "车"}}


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"<Items><Item", "labels.xml"),
        (b'<?xml version="1.0" encoding="klingon"?><Items/>', "klingon"),
        (b'<?xml version="1.0" encoding="utf-8"?><Items>\xff</Items>', "utf-8"),
        (
            b'<I><Item imageName="a" x="1"/><Item imageName="a" x="2"/></I>',
            "Item 2 of .* lists a a second time, with other labels",
        ),
        (b'<I><Item vehicleID="1"/></I>', "Item 1 of .* has no imageName"),
    ],
)
def test_faults(tmp_path, data, said):
    path = tmp_path / "labels.xml"
    path.write_bytes(data)
    with pytest.raises(DatasetError, match=said) as caught:
        read_xml_labels(path)
    assert str(path) in str(caught.value)


def test_an_image_that_is_listed_twice_with_the_same_labels(tmp_path):
    path = tmp_path / "labels.xml"
    path.write_bytes(b'<I><Item imageName="a" x="1"/><Item x="1" imageName="a"/></I>')
    assert read_xml_labels(path) == {"a": {"imageName": "a", "x": "1"}}


@pytest.mark.parametrize(
    ("label", "number"),
    [({"cameraID": "c002"}, 2), ({"camID": " 10 "}, 10), ({"cameraID": "c-1"}, -1), ({"other": "3"}, -1), ({}, -1)],
)
def test_label_number(label, number):
    assert label_number(label, "cameraID", "camID") == number


def test_missing_file(tmp_path):
    with pytest.raises(DatasetError, match="No such file"):
        read_xml_labels(tmp_path / "labels.xml")
