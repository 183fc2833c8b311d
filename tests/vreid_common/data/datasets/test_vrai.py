import pickle
import re

import numpy as np
import pytest

from vreid_common.data import DatasetError
from vreid_common.data.datasets import VRAI, VRAITest
from vreid_common.structures import UNKNOWN, VehicleImage


def test_training_items(vrai, tmp_path):
    train = VRAI(str(tmp_path)).train
    assert train[1] == VehicleImage(
        f"{vrai}/images_train/00000007_0001_00000003.jpg", "VRAI_7", "VRAI_1",
        track_id=0, domain=0, color_id=2, type_id=3, timestamp=3, attributes=(("sky", 1.0),),
    )  # fmt: skip
    assert [item.track_id for item in train] == [0, 0, 1, 2]
    assert train[3][1:12] == ("VRAI_9", "VRAI_2", 2, UNKNOWN, 0, 9, UNKNOWN, UNKNOWN, 1, UNKNOWN, ())


@pytest.mark.parametrize(("cls", "images"), [(VRAI, "images_dev"), (VRAITest, "images_test")])
def test_test_items_have_no_vehicle(vrai, tmp_path, cls, images):
    data = cls(str(tmp_path))
    assert data.query == [VehicleImage(f"{vrai}/{images}/0009DI42_C1.jpg", UNKNOWN, 1, domain=0, color_id=4)]
    assert [(item.pid, item.camid, item.attributes) for item in data.gallery] == [
        (UNKNOWN, 2, (("luggage", 0.0),)), (UNKNOWN, 1, ())
    ]  # fmt: skip


def test_names_in_an_array_and_labelled_names(vrai, tmp_path):
    name = "00000031_0002_00000004.jpg"
    annotation = {"query_order": np.array([name]), "gallery_order": [name], "color_label": {31: 5}}
    (vrai / "test_dev_annotation.pkl").write_bytes(pickle.dumps(annotation))
    assert [(item.pid, item.camid, item.color_id, item.timestamp) for item in VRAI(str(tmp_path)).query] == [(31, 2, 5, 4)]


class Evil:
    def __reduce__(self):
        return eval, ("1",)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (
            pickle.dumps({"query_order": [Evil()]}),
            r"Cannot read the pickle .*test_dev_annotation\.pkl: it holds builtins\.eval",
        ),
        (b"not a pickle", r"Cannot read the pickle .*test_dev_annotation\.pkl"),
        (pickle.dumps([1]), r"test_dev_annotation\.pkl holds a list: expected a dict"),
        (pickle.dumps({"gallery_order": []}), r"the annotation of images_dev has no list 'query_order' of image names"),
        (
            pickle.dumps({"query_order": ["car.jpg"], "gallery_order": []}),
            r"'car\.jpg' in 'query_order' is not of the form 0009DI42",
        ),
    ],
)
def test_wrong_annotations(vrai, tmp_path, check, content, said):
    (vrai / "test_dev_annotation.pkl").write_bytes(content)
    with pytest.raises(DatasetError, match=said):
        VRAI(str(tmp_path))
    status, faults = check("VRAI", tmp_path)
    assert status == 1
    assert re.search(said, faults[0])


def test_check_data(vrai, tmp_path, check, draw):
    assert check("VRAI", tmp_path)[0] == 0
    assert check("VRAITest", tmp_path)[0] == 0
    draw(vrai / "images_dev" / "0ZZZZZZZ_C1.jpg")
    annotation = pickle.loads((vrai / "train_annotation.pkl").read_bytes())
    annotation["train_im_names"] += ["0009DI42_C1.jpg", annotation["train_im_names"][0]]
    (vrai / "train_annotation.pkl").write_bytes(pickle.dumps(annotation))
    status, faults = check("VRAI", tmp_path)
    assert status == 1
    assert faults == [
        f"{vrai}: the image name '0009DI42_C1.jpg' in 'train_im_names' is not of the form 00000000_0001_00000003.jpg.",
        f"train: {vrai}/images_train/00000007_0001_00000000.jpg is listed more than once.",
        f"{vrai}/images_dev/0ZZZZZZZ_C1.jpg is not listed in {vrai}/test_dev_annotation.pkl.",
    ]


def test_wrong_folder(vrai, tmp_path):
    (vrai / "images_test").rename(vrai / "test")
    with pytest.raises(DatasetError, match=rf"^VRAI needs the folder {vrai}/images_test, which is not there\.$"):
        VRAITest(str(tmp_path))
