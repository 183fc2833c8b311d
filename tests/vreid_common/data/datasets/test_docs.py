"""docs/datasets.md names every data set that there is, and no other; docs/custom-data.md has the columns that are read."""

import re
from pathlib import Path

import pytest
from fastreid.data.datasets import DATASET_REGISTRY

import vreid_common.synthetic  # noqa: F401 - registers the rendered sets
from vreid_common.data.datasets import DatasetError
from vreid_common.data.datasets.csv_vehicles import read_csv_items

DOCS = Path(__file__).parents[4] / "docs" / "datasets.md"
CUSTOM = DOCS.with_name("custom-data.md").read_text(encoding="utf-8")


def test_the_table_of_all_sets():
    table = DOCS.read_text(encoding="utf-8").split("## All sets")[1].split("\n\n")[0]
    named = {
        name
        for row in table.splitlines()[3:]
        for name in re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", row.split("|")[1]).replace(",", " ").split()
    }
    ours = {name for name, cls in DATASET_REGISTRY._obj_map.items() if cls.__module__.startswith("vreid_common.")}
    assert named == ours


def test_the_example_of_a_csv_file_is_read(tmp_path):
    lines = re.search(r"^ *path,vehicle_id[^`]*$", CUSTOM, re.MULTILINE)[0].rstrip()
    file = tmp_path / "vehicles.csv"
    file.write_text("".join(line.strip() + "\n" for line in lines.splitlines()))
    splits = read_csv_items(file)
    assert [len(splits[split]) for split in ("train", "query", "gallery")] == [2, 1, 1]
    assert splits["query"][0].pid == splits["gallery"][0].pid != splits["train"][0].pid
    assert splits["query"][0].camid != splits["gallery"][0].camid


def test_the_table_of_a_csv_files_columns(tmp_path):
    rows = re.findall(r"^\| (\w+) \| (yes|no) \| (.*) \|$", CUSTOM, re.MULTILINE)
    examples = {"split": "train", "view": "front"}

    def read(names: list[str]):
        file = tmp_path / "vehicles.csv"
        file.write_text(",".join(names) + "\n" + ",".join(examples.get(name, "1") for name in names) + "\n")
        return read_csv_items(file)["train"][0]

    item = read([name for name, *_ in rows])
    assert (item.pid, item.camid, item.track_id, item.view_id) == (1, 1, 1, 0)
    needed = [name for name, need, _ in rows if need == "yes"]
    assert read(needed).pid == 1
    for name in needed:
        with pytest.raises(DatasetError, match=f"there is no column {name}"):
            read([other for other in needed if other != name])


def test_no_name_is_fastreids_own():
    assert all(
        DATASET_REGISTRY.get(name).__module__.startswith("fastreid.")
        for name in ("VeRi", "VehicleID", "SmallVehicleID", "VeRiWild", "SmallVeRiWild", "LargeVeRiWild")
    )
