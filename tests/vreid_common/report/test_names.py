"""Reports, rank lists and the browser show what the data's owner calls things, and unknown as unknown."""

import json

import numpy as np
import pytest
from PIL import Image

from vreid_common.browse import Session
from vreid_common.browse.cards import Cards
from vreid_common.browse.session import Settings
from vreid_common.browse.shelf import shelf_of
from vreid_common.cli import main
from vreid_common.data.datasets.csv_vehicles import read_csv_items
from vreid_common.reranking import build_pipeline
from vreid_common.structures import FeatureSet

ROWS = [
    "van-12,gate,query", "bus-3,yard,query", "-1,,query",
    "van-12,yard,gallery", "bus-3,gate,gallery", "bus-3,dock,gallery", ",gate,gallery", "-1,-1,gallery",
]  # fmt: skip


@pytest.fixture
def sets(tmp_path) -> tuple[FeatureSet, FeatureSet]:
    """From a CSV file, through feature files."""
    lines = []
    for number, row in enumerate(ROWS):
        Image.new("RGB", (20, 20), (30 * number, 90, 10)).save(tmp_path / f"{number}.png")
        lines.append(f"{number}.png,{row}")
    (tmp_path / "cars.csv").write_text("\n".join(["path,vehicle_id,camera_id,split", *lines]))
    items = read_csv_items(tmp_path / "cars.csv")
    found = []
    for split in ("query", "gallery"):
        # van-12's query is nearest to bus-3, so that there is a confusion to show.
        features = np.random.default_rng(3).normal(size=(8, 6))[: len(items[split])]
        FeatureSet.from_items(features, items[split]).save(tmp_path / split)
        found.append(FeatureSet.load(tmp_path / split))
    return found[0], found[1]


def run(*arguments) -> None:
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    assert ended.value.code == 0


def test_report_and_rank_lists(sets, tmp_path, capsys):
    files = ["--query", tmp_path / "query", "--gallery", tmp_path / "gallery"]
    run("report", *files, "--output", tmp_path / "r.html", "--json", tmp_path / "r.json")
    assert "3 queries, 1 of them left out for want of a match (1 are of unknown vehicle); gallery of 5, 2 of them dist" in (
        capsys.readouterr().out
    )
    page = (tmp_path / "r.html").read_text()
    for said in ("vehicle van-12", "vehicle bus-3", "unknown vehicle", "camera gate", "camera dock"):
        assert said in page
    assert "vehicle -1" not in page.lower()
    record = json.loads((tmp_path / "r.json").read_text())
    (ranking,) = record["report"]["rankings"].values()
    assert ranking["cameras"]["queries"] == ["gate", "yard"]
    assert {one["vehicle"] for one in ranking["confusions"]} <= {"van-12", "bus-3"}
    assert record["results"][0]["num_unknown_queries"] == 1
    run("rank-lists", *files, "--output", tmp_path / "l.png", "--json", tmp_path / "l.json")
    lists = json.loads((tmp_path / "l.json").read_text())["lists"]
    assert [(one["vehicle"], one["camera"]) for one in lists] == [("van-12", "gate"), ("bus-3", "yard"), (None, None)]
    assert {image["vehicle"] for image in lists[2]["images"]} == {"van-12", "bus-3", None}


def test_browser(sets):
    query, gallery = sets
    session = Session(gallery, {"plain": build_pipeline([])}, query)
    assert session.find("bus-3") == [1]
    assert [caption for _, caption in shelf_of(session).pictures] == ["vehicle van-12", "vehicle bus-3", "2.png"]
    page = Cards(session).answer(session.pick(0, Settings("plain")), "Query 1")
    assert "vehicle van-12" in page.lower()
    assert "unknown vehicle" in page
    assert "camera dock" in page
