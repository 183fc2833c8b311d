import pytest

from vreid_common.data import DatasetError
from vreid_common.data.datasets import VehicleX
from vreid_common.structures import UNKNOWN, VehicleImage
from vreid_common.synthetic import StudioVehicles


def test_every_attribute_is_kept(vehiclex, tmp_path):
    data = VehicleX(str(tmp_path))
    assert data.train[0] == VehicleImage(
        f"{vehiclex}/sys_image_train/0001_c001_33.jpg", "VehicleX_1", "VehicleX_1",
        domain=1, color_id=11, type_id=4, orientation=181.5,
        attributes=(("lightInt", 1.2), ("lightDir", -1.0), ("camHei", 4.5), ("camDis", -7.0)),
    )  # fmt: skip
    assert [item.pid for item in data.train] == ["VehicleX_1", "VehicleX_1", "VehicleX_1362"]
    assert (data.query, data.gallery) == ([], [])


def test_fewer_labels(vehiclex, tmp_path):
    (vehiclex / "train_label.xml").write_text(
        '<I><Item imageName="0001_c001_33.jpg" vehicleID="0001" note="x" lightInt="nan"/></I>'
    )
    (item,) = VehicleX(str(tmp_path)).train
    assert item == VehicleImage(f"{vehiclex}/sys_image_train/0001_c001_33.jpg", "VehicleX_1", UNKNOWN, domain=1)


def test_reads_rendered_vehicles(tmp_path):
    rendered = StudioVehicles(str(tmp_path), size="tiny")
    folder = next(path for path in tmp_path.iterdir() if path.name.startswith("studio"))
    folder.rename(tmp_path / "VehicleX")
    ours = {item.path.rpartition("/")[2]: item for item in VehicleX(str(tmp_path)).train}
    assert len(ours) == len(rendered.train)
    for item in rendered.train:
        other = ours[item.path.rpartition("/")[2]]
        assert (other.color_id, other.type_id, other.orientation) == (item.color_id, item.type_id, item.orientation)


def test_check_data(vehiclex, tmp_path, check, draw):
    assert check("VehicleX", tmp_path)[0] == 0
    draw(vehiclex / "sys_image_train" / "0007_c001_1.jpg")
    labels = vehiclex / "train_label.xml"
    labels.write_bytes(labels.read_bytes().replace(b'vehicleID="1362"', b'vehicleID="x"'))
    (vehiclex / "sys_image_train" / "0001_c002_1.jpg").write_bytes(b"")
    assert check("VehicleX", tmp_path) == (
        1,
        [
            f"{labels}: 1362_c019_9.jpg has vehicleID 'x'; expected a number.",
            f"train: the file {vehiclex}/sys_image_train/0001_c002_1.jpg is empty.",
            f"{vehiclex}/sys_image_train/0007_c001_1.jpg is not listed in {labels}.",
            f"{vehiclex}/sys_image_train/1362_c019_9.jpg is not listed in {labels}.",
        ],
    )


def test_wrong_folder(vehiclex, tmp_path):
    (vehiclex / "sys_image_train").rename(vehiclex / "images")
    with pytest.raises(
        DatasetError, match=r"VehicleX needs the folder .*/sys_image_train \(or image_train, image\), which is not"
    ):
        VehicleX(str(tmp_path))
