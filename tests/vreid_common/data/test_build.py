import random
from pathlib import Path

import numpy as np
import pytest
from fastreid.data.datasets import DATASET_REGISTRY
from fastreid.data.datasets.bases import ImageDataset

from vreid_common.data import DatasetError, build_dataset, build_test_loader, build_train_dataset, dataset_class
from vreid_common.structures import UNKNOWN, VehicleImage


@pytest.fixture
def vehicle_id(tmp_path: Path, monkeypatch) -> Path:
    """The lists of VehicleID, 8 test vehicles with 5 images each."""
    folder = tmp_path / "vehicleid"
    (folder / "image").mkdir(parents=True)
    (folder / "train_test_split").mkdir()
    lines = "".join(f"{number:07d} {number // 5}\n" for number in range(40))
    for name in ("train_list", "test_list_800", "test_list_13164"):
        (folder / "train_test_split" / f"{name}.txt").write_text(lines)
    monkeypatch.setenv("FASTREID_DATASETS", str(tmp_path))
    return folder


class TestFastReIDsOwnSets:
    def test_items_are_lifted(self, cfg, vehicle_id):
        data = build_dataset(cfg, "SmallVehicleID")
        assert isinstance(data, ImageDataset)
        assert all(isinstance(item, VehicleImage) for item in data.train + data.query + data.gallery)
        assert {item.track_id for item in data.train} == {UNKNOWN}
        assert (len(data.train), len(data.query), len(data.gallery)) == (40, 32, 8)
        assert len({item.pid for item in data.gallery}) == 8

    def test_random_split_is_always_the_same(self, cfg, vehicle_id):
        """B21: it was drawn from the unseeded global generator, so processes and runs disagreed."""
        random.seed(1)
        first = build_dataset(cfg, "SmallVehicleID")
        random.seed(2)
        cfg.SEED = 3
        second = build_dataset(cfg, "SmallVehicleID")
        assert first.gallery == second.gallery
        assert first.query == second.query

    def test_global_generators_are_left_alone(self, cfg, vehicle_id):
        random.seed(1)
        before = random.getstate(), np.random.get_state()[1].tolist()  # noqa: NPY002
        build_dataset(cfg, "SmallVehicleID")
        assert before == (random.getstate(), np.random.get_state()[1].tolist())  # noqa: NPY002

    def test_combineall(self, cfg, vehicle_id):
        cfg.DATASETS.COMBINEALL = True
        assert len(build_dataset(cfg, "SmallVehicleID").train) == 80

    def test_missing_folder(self, cfg, tmp_path, monkeypatch):
        monkeypatch.setenv("FASTREID_DATASETS", str(tmp_path))
        with pytest.raises(DatasetError, match=rf"data set VeRi: .*is not found; set FASTREID_DATASETS \(now {tmp_path}\)"):
            build_dataset(cfg, "VeRi")

    def test_root_is_read_when_used(self, cfg, vehicle_id, tmp_path, monkeypatch):
        monkeypatch.setenv("FASTREID_DATASETS", str(tmp_path / "other"))
        with pytest.raises(DatasetError, match="other"):
            build_dataset(cfg, "SmallVehicleID")
        assert build_dataset(cfg, "SmallVehicleID", root=str(tmp_path)).train


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("veri77", r"'veri77'; did you mean .*VeRi.* or \w+\?$"),
        ("CsvVehicle", "did you mean CSVVehicles"),
        ("ＶｅＲｉ776", r"did you mean VeRi776 or "),
        ("?", r"there are .*, VeRi776, .*\.$"),
    ],
)
def test_unknown_name(cfg, name, said):
    with pytest.raises(DatasetError, match=said):
        build_dataset(cfg, name)


def test_third_partys_set_keeps_its_order(cfg):
    class Foreign(ImageDataset):
        def __init__(self, root, **kwargs):
            items = [("b.jpg", 1, 0), ("a.jpg", 2, 0)]
            super().__init__(lambda: [(path, f"f_{pid}", "f_0") for path, pid, _ in items], items, items, **kwargs)

    DATASET_REGISTRY.register(Foreign)
    try:
        data = build_dataset(cfg, "Foreign")
    finally:
        del DATASET_REGISTRY._obj_map["Foreign"]
    assert [item.path for item in data.query] == ["b.jpg", "a.jpg"]
    assert data.train[0] == VehicleImage("b.jpg", "f_1", "f_0")


class TestTrainDataset:
    def test_sets_are_joined_without_mixing_identities(self, cfg, csv_file, vehicle_id):
        cfg.DATASETS.NAMES = ("CSVVehicles", "SmallVehicleID")
        dataset = build_train_dataset(cfg)
        assert len(dataset) == 18 + 40
        assert dataset.num_classes == 6 + 8

    def test_classes_have_their_owners_names(self, cfg, tmp_path):
        rows = ["a.png,van-12,train", "a.png,bus-3,train", "a.png,van-12,train"]
        (tmp_path / "cars.csv").write_text("\n".join(["path,vehicle_id,split", *rows]))
        (tmp_path / "a.png").touch()
        cfg.DATASETS.NAMES, cfg.DATASETS.CSV.FILE = ["CSVVehicles"], str(tmp_path / "cars.csv")
        assert build_train_dataset(cfg).class_names == ["CSVVehicles_bus-3", "CSVVehicles_van-12"]

    def test_classes_without_names_are_called_as_fastreid_calls_them(self, cfg, csv_file, vehicle_id):
        cfg.DATASETS.NAMES, cfg.DATASETS.CSV.FILE = ["CSVVehicles", "SmallVehicleID"], str(csv_file)
        images = build_train_dataset(cfg)
        assert images.class_names == images.pids

    def test_no_training_images(self, cfg, csv_file):
        csv_file.write_text("path,vehicle_id,split\nv0_0.png,1,query\n")
        with pytest.raises(DatasetError, match=r"CSVVehicles of DATASETS\.NAMES has no training images"):
            build_train_dataset(cfg)

    def test_no_names(self, cfg):
        cfg.DATASETS.NAMES = ()
        with pytest.raises(DatasetError, match=r"DATASETS\.NAMES is empty"):
            build_train_dataset(cfg)


class TestSubsets:
    """Parts of a test set that are evaluated for themselves, as ``VehicleDataset.subsets`` names them."""

    @pytest.fixture
    def subsets(self, csv_file, monkeypatch):
        places = {"small": [0, 2, 3]}
        monkeypatch.setattr(dataset_class("CSVVehicles"), "subsets", lambda self: places)
        return places

    def test_loader_has_them(self, cfg, subsets):
        assert build_test_loader(cfg, "CSVVehicles")[0].subsets == subsets

    def test_a_validation_split_has_none(self, cfg, subsets):
        cfg.DATASETS.VALIDATION.NUM_IDS = 2
        assert build_test_loader(cfg, "CSVVehicles")[0].subsets == {}

    def test_other_sets_have_none(self, cfg, vehicle_id):
        loader, _ = build_test_loader(cfg, "SmallVehicleID")
        assert loader.subsets == {}


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("cars.csv", "cars.csv is a file, not the name of a data set: name CSVVehicles, and the file as DATASETS.CSV.FILE."),
        ("/data/VeRi", "/data/VeRi is a path, not the name of a data set: name the set, e.g. VeRi776, and the folder above it"),
        ("VeRi77", "There is no data set 'VeRi77'; did you mean VeRi776"),
    ],
)
def test_a_file_or_folder_is_no_name_of_a_data_set(name, said):
    with pytest.raises(DatasetError) as error:
        dataset_class(name)
    assert str(error.value).startswith(said)
