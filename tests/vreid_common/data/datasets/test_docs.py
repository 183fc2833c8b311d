"""docs/datasets.md names every data set that there is, and no other."""

import re
from pathlib import Path

from fastreid.data.datasets import DATASET_REGISTRY

import vreid_common.data.datasets
import vreid_common.synthetic  # noqa: F401 - registers the rendered sets

DOCS = Path(__file__).parents[4] / "docs" / "datasets.md"


def test_the_table_of_all_sets():
    table = DOCS.read_text(encoding="utf-8").split("## All sets")[1].split("\n\n")[0]
    named = {
        name
        for row in table.splitlines()[3:]
        for name in re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", row.split("|")[1]).replace(",", " ").split()
    }
    ours = {name for name, cls in DATASET_REGISTRY._obj_map.items() if cls.__module__.startswith("vreid_common.")}
    assert named == ours


def test_no_name_is_fastreids_own():
    assert all(
        DATASET_REGISTRY.get(name).__module__.startswith("fastreid.")
        for name in ("VeRi", "VehicleID", "SmallVehicleID", "VeRiWild", "SmallVeRiWild", "LargeVeRiWild")
    )
