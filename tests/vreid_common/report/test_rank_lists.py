"""Rank lists: which images, in which order, framed how; and the command."""

import json
import re

import numpy as np
import pytest
import torch
from PIL import Image

from vreid_common.cli import main
from vreid_common.errors import InputError
from vreid_common.evaluation import SameCameraExcluded
from vreid_common.report.rank_lists import choose_queries, draw_rank_lists, rank_lists, save_picture
from vreid_common.structures import DenseRows, FeatureSet


@pytest.fixture
def make_images(tmp_path):
    def make(name, pids, camids):
        paths = []
        for number, pid in enumerate(pids):
            path = tmp_path / f"{name}{number}.png"
            Image.new("RGB", (20 + number, 30), (20 * (pid % 10), ord(name), 99)).save(path)
            paths.append(str(path))
        features = torch.eye(8)[: len(pids)]
        return FeatureSet.create(features, pids, camids, paths=paths)

    return make


@pytest.fixture
def sets(make_images):
    return make_images("q", [1, 2], [0, 0]), make_images("g", [1, 2, 1, 3, -1], [0, 1, 2, 0, 0])


DISTANCE = DenseRows(torch.tensor([[0.0, 0.3, 0.1, 0.1, 0.2], [0.5, 0.4, 0.3, 0.2, 0.1]]))


def same_camera_left_out(sets):
    return SameCameraExcluded().match_rule(*sets)


def test_own_camera_is_left_out_ties_go_by_index_and_unknown_is_open(sets):
    (first,) = rank_lists(*sets, {"plain": DISTANCE}, [0], 4, same_camera_left_out(sets))
    assert (first.name, first.query) == ("plain", 0)
    assert first.images == (2, 3, 4, 1)
    assert first.distances == pytest.approx((0.1, 0.1, 0.2, 0.3))
    assert first.correct == (True, False, None, False)
    (kept,) = rank_lists(*sets, {"plain": DISTANCE}, [0], 2)
    assert (kept.images, kept.correct) == ((0, 2), (True, True))


def test_a_query_of_unknown_vehicle_leaves_nothing_out(sets):
    query = FeatureSet.create(sets[0].features, [-1, -1], [0, 0])
    (found,) = rank_lists(query, sets[1], {"plain": DISTANCE}, [0], 9, same_camera_left_out((query, sets[1])))
    assert (found.images, set(found.correct)) == ((0, 2, 3, 4, 1), {None})


def test_query_by_query_and_no_more_images_than_there_are(sets):
    lists = rank_lists(*sets, {"a": DISTANCE, "b": DISTANCE}, [1, 0], 99, same_camera_left_out(sets))
    assert [(entry.query, entry.name) for entry in lists] == [(row, name) for row in (1, 0) for name in ("a", "b")]
    assert [len(entry.images) for entry in lists] == [5, 5, 4, 4]


def test_frames_are_of_the_right_colour(sets):
    lists = rank_lists(*sets, {"plain": DISTANCE}, [0], 4, same_camera_left_out(sets))
    picture = np.asarray(draw_rank_lists(lists, *sets))
    cell = 96 + 8 + 4
    row = picture[12 + 4 + 1]
    found = [tuple(row[place * cell + (12 if place else 4) + 1].tolist()) for place in range(5)]
    assert found == [(70, 70, 70), (40, 160, 70), (210, 50, 45), (170, 170, 170), (210, 50, 45)]


@pytest.mark.parametrize(("num_queries", "count", "expected"), [(10, 3, [0, 3, 6]), (2, 6, [0, 1]), (1, 1, [0])])
def test_queries_at_even_distances(num_queries, count, expected):
    assert choose_queries(num_queries, count) == expected


def test_exception_what_cannot_be_drawn(sets, tmp_path):
    query, gallery = sets
    nameless = FeatureSet.create(gallery.features, gallery.pids)
    with pytest.raises(InputError, match="gallery image in row 0 has no path"):
        draw_rank_lists(rank_lists(query, nameless, {"plain": DISTANCE}, [0]), query, nameless)
    with pytest.raises(ValueError, match="top_k is at least 1"):
        rank_lists(query, gallery, {"plain": DISTANCE}, [0], 0)
    with pytest.raises(InputError, match="no rank list"):
        draw_rank_lists([], query, gallery)
    picture = Image.new("RGB", (4, 4))
    with pytest.raises(InputError, match="end the name"):
        save_picture(picture, tmp_path / "a.tiff")
    with pytest.raises(InputError, match="there is no folder"):
        save_picture(picture, tmp_path / "gone" / "a.png")


def test_the_command_draws_before_and_after(sets, tmp_path, capsys):
    for name, images in zip(("q", "g"), sets, strict=True):
        images.save(tmp_path / name)
    common = ["rank-lists", "--query", str(tmp_path / "q"), "--gallery", str(tmp_path / "g")]
    outputs = ["--output", str(tmp_path / "out.png"), "--json", str(tmp_path / "out.json")]
    with pytest.raises(SystemExit) as ended:
        main([*common, "--steps", "k_reciprocal", "--set", "k_reciprocal.k1=2", *outputs])
    assert ended.value.code == 0
    drawn = json.loads((tmp_path / "out.json").read_text())["lists"]
    assert [entry["query"] for entry in drawn] == [sets[0].paths[row] for row in (0, 0, 1, 1)]
    reranked = "re-ranked by k_reciprocal(k1=2, k2=6, lambda_value=0.3)"
    assert [entry["ranking"] for entry in drawn] == ["no re-ranking", reranked] * 2
    places = [sets[1].paths.index(found["image"]) for found in drawn[0]["images"]]
    distances = 1 - sets[0].features[0] @ sets[1].features.T
    assert [found["distance"] for found in drawn[0]["images"]] == pytest.approx(distances[places].tolist())
    shown = [int(sets[1].pids[place]) for place in places]
    assert [found["correct"] for found in drawn[0]["images"]] == [None if pid < 0 else pid == 1 for pid in shown]
    assert re.search(r"out.png: 2 queries, 2 rankings.", capsys.readouterr().out)
    with Image.open(tmp_path / "out.png") as picture:
        assert picture.height == 4 * (96 + 8 + 4 + 12) + 4
    with pytest.raises(SystemExit) as ended:
        main([*common, "--set", "k_reciprocal.k1=2", "--output", str(tmp_path / "out.png")])
    assert ended.value.code == 2
