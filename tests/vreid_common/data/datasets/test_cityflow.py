import pytest

from vreid_common.data import DatasetError
from vreid_common.data.datasets import CityFlow, CityFlowV2
from vreid_common.structures import UNKNOWN, VehicleImage


def test_items(cityflow, tmp_path):
    data = CityFlow(str(tmp_path))
    assert data.train[2] == VehicleImage(f"{cityflow}/image_train/000003.jpg", "CityFlow_2", "CityFlow_7", track_id=1, domain=0)
    assert [(item.pid, item.camid, item.track_id) for item in data.train] == [
        ("CityFlow_2", "CityFlow_6", 0),
        ("CityFlow_2", "CityFlow_6", 0),
        ("CityFlow_2", "CityFlow_7", 1),
        ("CityFlow_5", "CityFlow_7", 2),
    ]
    assert [item[1:4] for item in data.query] == [(UNKNOWN, UNKNOWN, UNKNOWN)] * 2
    assert [item[1:4] for item in data.gallery] == [(UNKNOWN, UNKNOWN, track) for track in (0, 1, 0)]


def test_v2_has_cameras_of_test_images(cityflow_v2, tmp_path):
    data = CityFlowV2(str(tmp_path))
    assert [item.camid for item in data.query + data.gallery] == [41, 42, 41, 42, 46]
    assert {item.pid for item in data.query + data.gallery} == {UNKNOWN}
    assert data.train[0].pid == "CityFlowV2_2"


def test_order_is_that_of_the_name_list_and_sorted_without_one(cityflow, tmp_path):
    (cityflow / "name_test.txt").write_text("000002.jpg\n000001.jpg\n000003.jpg")
    assert [item.path[-10:] for item in CityFlow(str(tmp_path)).gallery] == ["000002.jpg", "000001.jpg", "000003.jpg"]
    (cityflow / "name_test.txt").unlink()
    assert [item.path[-10:] for item in CityFlow(str(tmp_path)).gallery] == ["000001.jpg", "000002.jpg", "000003.jpg"]


def test_check_data(cityflow, tmp_path, check, draw):
    assert check("CityFlow", tmp_path)[0] == 0
    draw(cityflow / "image_test" / "000009.jpg")
    (cityflow / "train_track.txt").write_text("000001.jpg 000002.jpg\n000003.jpg 000004.jpg\n")
    labels = cityflow / "train_label.xml"
    labels.write_bytes(labels.read_bytes().replace(b"</Items>", b'<Item imageName="000077.jpg" vehicleID="1"/></Items>'))
    with (cityflow / "name_train.txt").open("a") as file:
        file.write("\n000005.jpg")
    (cityflow / "test_track_id.txt").write_text("1 x")
    status, faults = check("CityFlow", tmp_path)
    train = cityflow / "image_train"
    assert status == 1
    assert len(faults) == 5
    for said in (
        f"{labels} says no vehicleID of 000005.jpg, which is a training image.",
        f"{cityflow}/test_track_id.txt, track 1: expected numbers of images, got 'x'.",
        f"Track 1 holds {train}/000003.jpg of vehicle 2 and {train}/000004.jpg of vehicle 5.",
        "000077.jpg has a label but is not an image of split 'train'.",
        f"{cityflow}/image_test/000009.jpg is not listed in {cityflow}/name_test.txt.",
    ):
        assert said in faults


def test_wrong_folder(cityflow, tmp_path):
    with pytest.raises(DatasetError, match=r"no folder AIC21_Track2_ReID, AIC22_Track2_ReID, AIC21 or CityFlowV2 under"):
        CityFlowV2(str(tmp_path))
    (cityflow / "train_label.xml").write_bytes(b"<Items>")
    with pytest.raises(DatasetError, match=r"^Cannot read the labels .*train_label\.xml"):
        CityFlow(str(tmp_path))


class TestTwoListsOfTracks:
    """The owners' train_track.txt of 2019 lacks the last image of each track; train_track_id.txt has all."""

    @pytest.fixture
    def both(self, cityflow):
        (cityflow / "train_track.txt").write_text("\n000001.jpg\n\n")
        (cityflow / "train_track_id.txt").write_text("4\n1 2\n3\n")
        return cityflow

    def test_they_are_joined_and_one_line_says_what_one_lacks(self, both, tmp_path, caplog, check):
        assert [item.track_id for item in CityFlow(str(tmp_path)).train] == [1, 1, 2, 0]
        assert caplog.messages == [
            f"{both}/train_track.txt lacks 3 of the 4 images that are in tracks by the lists beside it: all lists are read."
        ]
        assert check("CityFlow", tmp_path)[0] == 0

    def test_each_may_lack_some(self, both, tmp_path):
        (both / "train_track_id.txt").write_text("1 2\n3")
        (both / "train_track.txt").write_text("000004.jpg\n000002.jpg\n")
        assert [item.track_id for item in CityFlow(str(tmp_path)).train] == [0, 0, 1, 2]

    @pytest.mark.parametrize(("names", "numbers"), [("000001.jpg 000003.jpg", "1 2\n3"), ("000001.jpg\n000002.jpg", "1 2\n3")])
    def test_lists_that_contradict_each_other(self, both, tmp_path, names, numbers):
        (both / "train_track.txt").write_text(names)
        (both / "train_track_id.txt").write_text(numbers)
        with pytest.raises(DatasetError, match=r"000\d+\.jpg is in one track with other images by .*train_track\.txt than by"):
            CityFlow(str(tmp_path))


def test_images_without_a_track_are_two_lines(cityflow, tmp_path, check):
    (cityflow / "train_track.txt").write_text("000001.jpg")
    status, faults = check("CityFlow", tmp_path, "--limit", "1")
    assert status == 1
    assert faults == ["000002.jpg of split 'train' has no track.", "... and 2 more; --limit 0 shows all."]
