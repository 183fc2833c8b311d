import pytest

from vreid_common.data import DatasetError
from vreid_common.data.datasets import PKUVD1, PKUVD2, PKUVD1Medium, PKUVD1Small
from vreid_common.structures import UNKNOWN, VehicleImage


def names(items):
    return [int(item.path.rpartition("/")[2].removesuffix(".jpg")) for item in items]


def test_items(pku_vd, tmp_path):
    data = PKUVD1(str(tmp_path))
    image = pku_vd / "image"
    assert data.train[2] == VehicleImage(f"{image}/3.jpg", "PKUVD1_101", UNKNOWN, domain=0, model_id=9, color_id=0)
    assert data.query[0] == VehicleImage(f"{image}/10.jpg", 205, UNKNOWN, domain=0, model_id=5, color_id=10)
    assert names(data.query) == [10, 12]


def test_no_query_is_in_a_gallery(pku_vd, tmp_path):
    assert names(PKUVD1(str(tmp_path)).gallery) == [11, 13, 14, 15, 16, 17, 18, 19]
    assert names(PKUVD1Medium(str(tmp_path)).gallery) == [11, 13, 14, 15]
    assert names(PKUVD1Small(str(tmp_path)).gallery) == [13, 11]


def test_smaller_galleries_are_subsets_of_one_extraction(pku_vd, tmp_path):
    data = PKUVD1(str(tmp_path))
    test = data.query + data.gallery
    for name, cls in (("small", PKUVD1Small), ("medium", PKUVD1Medium)):
        alone = cls(str(tmp_path))
        places = data.subsets()[name]
        assert places == sorted(places)
        assert [test[place] for place in places] == alone.query + sorted(alone.gallery)
        assert alone.subsets() == {}


def test_lists_without_model_and_colour(pku_vd, tmp_path):
    (pku_vd / "train_test" / "trainlist.txt").write_text("1 100\n2 100")
    assert [item[5:9] for item in PKUVD1(str(tmp_path)).train] == [(0, UNKNOWN, UNKNOWN, UNKNOWN)] * 2


def test_check_data(pku_vd, tmp_path, check, draw):
    assert check("PKUVD1", tmp_path)[0] == 0
    draw(pku_vd / "image" / "99.jpg")
    small = pku_vd / "query_ref" / "small_set.txt"
    small.write_bytes(small.read_bytes() + b"88 300 1 1\n")
    assert check("PKUVD1Small", tmp_path) == (1, [f"gallery: there is no file {pku_vd}/image/88.jpg."])
    assert check("PKUVD1", tmp_path) == (
        1,
        [
            f"{small} lists {pku_vd}/image/88.jpg, which train_test/testlist.txt does not.",
            f"{pku_vd}/image/99.jpg is not listed in trainlist.txt or testlist.txt.",
        ],
    )


def test_table_shows_the_subsets(pku_vd, tmp_path, check):
    assert [line.split() for line in check("PKUVD1", tmp_path)[1] if line.startswith("test, small")] == [
        ["test,", "small", "2", "4", "0", "0", "0"]
    ]


def test_wrong_folder(pku_vd, tmp_path):
    with pytest.raises(DatasetError, match=r"no folder PKU-VD/VD2, PKU-VDs/VD2, pku-vd/VD2 or VD2 under"):
        PKUVD2(str(tmp_path))
    (pku_vd / "query_ref" / "medium_set.txt").unlink()
    PKUVD1Small(str(tmp_path))
    with pytest.raises(DatasetError, match=r"PKU-VD1 needs the file .*medium_set\.txt, which is not there"):
        PKUVD1(str(tmp_path))
