import pytest

from vreid_common.data import DatasetError
from vreid_common.data.datasets import VRIC
from vreid_common.structures import VehicleImage


def test_items(vric, tmp_path):
    data = VRIC(str(tmp_path))
    images = vric / "train_images"
    assert data.train[1:] == [
        VehicleImage(f"{images}/MVI_20011_001_img00106.jpg", "VRIC_1", "VRIC_1", domain=0, timestamp=106),
        VehicleImage(f"{images}/MVI_20012_002_img00001.jpg", "VRIC_2", "VRIC_7", domain=0, timestamp=1),
    ]
    assert data.query == [VehicleImage(f"{vric}/probe_images/MVI_39031_010_img01250.jpg", 15, 1, domain=0, timestamp=1250)]
    assert [item[1:3] for item in data.gallery] == [(15, 2)]


def test_check_data(vric, tmp_path, check, draw):
    assert check("VRIC", tmp_path, "--read-images", "--workers", "1")[0] == 0
    draw(vric / "probe_images" / "MVI_1_1_img1.jpg")
    (vric / "gallery_images" / "MVI_39051_004_img00020.jpg").unlink()
    with (vric / "vric_train.txt").open("ab") as file:
        file.write(b"MVI_20012_002_img00001.jpg 2 7\r\nMVI_20012_002_img00002.jpg 2\r\n")
    status, faults = check("VRIC", tmp_path)
    assert status == 1
    assert faults == [
        f"{vric}/vric_train.txt, row 5: expected 'image vehicle camera', got 'MVI_20012_002_img00002.jpg 2'.",
        f"gallery: there is no file {vric}/gallery_images/MVI_39051_004_img00020.jpg.",
        f"train: {vric}/train_images/MVI_20012_002_img00001.jpg is listed more than once.",
        f"{vric}/probe_images/MVI_1_1_img1.jpg is not listed in vric_probe.txt.",
    ]
    with pytest.raises(DatasetError, match=r"vric_train\.txt, row 5: expected 'image vehicle camera'"):
        VRIC(str(tmp_path))


def test_wrong_folder(tmp_path, vric):
    with pytest.raises(DatasetError, match=rf"^There is no folder VRIC or vric under {vric}: set FASTREID_DATASETS"):
        VRIC(str(vric))
    (vric / "vric_probe.txt").unlink()
    with pytest.raises(DatasetError, match=rf"^VRIC needs the file {vric}/vric_probe.txt, which is not there\.$"):
        VRIC(str(tmp_path))
