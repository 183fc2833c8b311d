from collections import defaultdict

import pytest

from vreid_common.cli import main
from vreid_common.config import get_vreid_cfg
from vreid_common.data import build_dataset
from vreid_common.data.datasets import CSVVehicles, DatasetError, VeRi776
from vreid_common.data.datasets.xml_labels import read_xml_labels
from vreid_common.structures import VIEWS
from vreid_common.synthetic import SIZES, Domain, Scene, write_scene
from vreid_common.synthetic.record import read_records, write_records
from vreid_common.synthetic.writer import LABELS

SPLITS = ("train", "query", "gallery")


def _labels(records, folder, split):
    return sorted(
        (str(folder / r.path), r.vehicle_id, r.camera_id, r.track_id, VIEWS.index(r.view)) for r in records if r.split == split
    )


def _grouping(items):
    """Which images belong to one track, whatever its number."""
    tracks = defaultdict(set)
    for path, *_, track, _view in items:
        tracks[track].add(path)
    return sorted(map(sorted, tracks.values()))


def test_veri_layout_reads_back_equal_as_veri776(tiny_veri):
    records = read_records(tiny_veri / LABELS)
    dataset = VeRi776(str(tiny_veri.parent))
    assert list(dataset.inconsistencies()) == []
    for split in SPLITS:
        expected = _labels(records, tiny_veri, split)
        items = sorted(
            (i.path, int(str(i.pid).rpartition("_")[2]), int(str(i.camid).rpartition("_")[2]) + 1, i.track_id, i.view_id)
            for i in getattr(dataset, split)
        )
        assert [(p, v, c, w) for p, v, c, _, w in items] == [(p, v, c, w) for p, v, c, _, w in expected]
        assert _grouping(items) == _grouping(expected)


def test_fastreids_own_veri_reads_the_same_folder(tiny_veri):
    """In ``veri``, lower case: the page on rendered vehicles said ``VeRi``, which FastReID does not find on Linux."""
    theirs, ours = (build_dataset(get_vreid_cfg(), name, str(tiny_veri.parent)) for name in ("VeRi", "VeRi776"))
    for split in SPLITS:
        items, others = (
            sorted((i.path, str(i.pid).rpartition("_")[2], str(i.camid).rpartition("_")[2]) for i in getattr(data, split))
            for data in (theirs, ours)
        )
        assert items == others
        assert items


@pytest.mark.parametrize(("folder", "name"), [("veri", "VeRi"), ("veri", "VeRi776"), ("VeRi", "VeRi776")])
def test_check_data_finds_it_without_fault(tiny_veri, tmp_path, capsys, folder, name):
    (tmp_path / folder).symlink_to(tiny_veri)
    with pytest.raises(SystemExit) as ended:
        main(["check-data", name, "--root", str(tmp_path)])
    assert ended.value.code == 0
    assert f"{name}: no faults found" in capsys.readouterr().out


def test_vehicles_csv_reads_back_equal_as_csv_vehicles(tiny_veri):
    records = read_records(tiny_veri / LABELS)
    dataset = CSVVehicles(file=str(tiny_veri / LABELS))
    for split in SPLITS:
        items = sorted(
            (i.path, int(str(i.pid).rpartition("_")[2]), int(str(i.camid).rpartition("_")[2]), i.track_id, i.view_id)
            for i in getattr(dataset, split)
        )
        assert items == _labels(records, tiny_veri, split)


def test_veri_names_and_labels_agree_with_the_records(tiny_veri):
    labels = read_xml_labels(tiny_veri / "train_label.xml") | read_xml_labels(tiny_veri / "test_label.xml")
    records = read_records(tiny_veri / LABELS)
    assert len(labels) == len(records)
    for record in records:
        name = record.path.rpartition("/")[2]
        assert name == f"{record.vehicle_id:04d}_c{record.camera_id:03d}_{record.timestamp:08d}_{record.frame}.jpg"
        assert (int(labels[name]["colorID"]), int(labels[name]["typeID"])) == (record.color_id, record.type_id)


def test_every_query_has_a_match_from_another_camera_and_its_own_camera_in_the_gallery(tiny_veri):
    records = read_records(tiny_veri / LABELS)
    gallery = {(r.vehicle_id, r.camera_id) for r in records if r.split == "gallery"}
    queries = [(r.vehicle_id, r.camera_id) for r in records if r.split == "query"]
    assert len(set(queries)) == len(queries)
    assert set(queries) == gallery
    assert all(any(v == vehicle and c != camera for v, c in gallery) for vehicle, camera in queries)


@pytest.fixture(scope="module")
def tiny_vehiclex(tmp_path_factory):
    folder = tmp_path_factory.mktemp("vehiclex")
    write_scene(Scene(SIZES["tiny"], Domain.STUDIO, 0), folder, "vehiclex")
    return folder


def test_vehiclex_xml_has_its_attributes(tiny_vehiclex):
    labels = read_xml_labels(tiny_vehiclex / "train_label.xml")
    records = read_records(tiny_vehiclex / LABELS)
    assert {r.split for r in records} == {"train"}
    assert set(labels) == {path.name for path in (tiny_vehiclex / "sys_image_train").iterdir()}
    for record in records:
        label = labels[record.path.rpartition("/")[2]]
        assert label == {
            "imageName": f"{record.vehicle_id:04d}_c{record.camera_id:03d}_{record.image_number}.jpg",
            "vehicleID": f"{record.vehicle_id:04d}",
            "cameraID": f"c{record.camera_id:03d}",
            "colorID": str(record.color_id),
            "typeID": str(record.type_id),
            "orientation": str(record.orientation),
            "lightInt": str(record.light_intensity),
            "lightDir": str(record.light_direction),
            "camHei": str(record.camera_height),
            "camDis": str(record.camera_distance),
        }
        assert 0 <= record.orientation < 360
        assert 0 <= record.light_intensity <= 1


def test_records_survive_writing(tiny_veri, tmp_path):
    records = read_records(tiny_veri / LABELS)
    write_records(tmp_path / "again.csv", records)
    assert (tmp_path / "again.csv").read_bytes() == (tiny_veri / LABELS).read_bytes()


def test_damaged_row_is_named(tiny_veri, tmp_path):
    lines = (tiny_veri / LABELS).read_text().splitlines()
    lines[4] = lines[4].replace(",", ";", 3)
    path = tmp_path / LABELS
    path.write_text("\n".join(lines))
    with pytest.raises(DatasetError, match="row 5 is damaged"):
        read_records(path)
