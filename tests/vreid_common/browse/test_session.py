"""Rankings of a session, against a plain loop and against the pipelines themselves."""

import math
import threading
from pathlib import Path

import numpy as np
import pytest
import torch

from vreid_common.browse import Filter, Session, Settings
from vreid_common.data import read_image
from vreid_common.errors import InputError
from vreid_common.reranking import build_pipeline
from vreid_common.structures import FeatureSet

PLAIN, K_RECIPROCAL, TRACKS = "no re-ranking", "k-reciprocal", "tracks"


def cosine_distance(a, b) -> float:
    return 1 - sum(x * y for x, y in zip(a, b, strict=True)) / math.sqrt(sum(x * x for x in a) * sum(y * y for y in b))


def expected(query: FeatureSet, row: int, gallery: FeatureSet, rows, distances, top: int, own_camera: bool):
    """(gallery row, distance, correct) of each match: a loop over what was searched, in its order."""
    pid, camid = int(query.pids[row]), int(query.camids[row])
    kept = []
    for place, image in enumerate(rows):
        other, camera = int(gallery.pids[image]), int(gallery.camids[image])
        if not own_camera and pid == other >= 0 and camid == camera >= 0:
            continue
        kept.append((distances[place], place, image, None if -1 in (pid, other) else pid == other))
    kept.sort(key=lambda entry: entry[:2])  # ties by gallery index
    return [(image, distance, correct) for distance, _, image, correct in kept[:top]]


def check(answer, matches) -> None:
    assert list(answer.ranking.images) == [image for image, *_ in matches]
    np.testing.assert_allclose(answer.ranking.distances, [distance for _, distance, _ in matches], atol=2e-6)
    assert list(answer.ranking.correct) == [correct for *_, correct in matches]


FILTERS = [Filter(), Filter(cameras=frozenset({0, 2})), Filter(views=frozenset({1}), since=150), Filter(frozenset({-1}))]


@pytest.mark.parametrize("own_camera", [False, True])
@pytest.mark.parametrize("top", [1, 7, 1000])
@pytest.mark.parametrize("among", FILTERS, ids=["all", "cameras", "view and time", "unknown camera"])
def test_plain(session, sets, among, top, own_camera):
    query, gallery = sets
    rows = among.rows(gallery).tolist()
    for row in range(len(query)):
        distances = [cosine_distance(query.features[row].tolist(), gallery.features[image].tolist()) for image in rows]
        # Ties are those of equal features: what a loop's rounding tells apart is put together.
        distances = [round(distance, 9) for distance in distances]
        answer = session.pick(row, Settings(PLAIN, among, top, own_camera))
        check(answer, expected(query, row, gallery, rows, distances, top, own_camera))
        assert answer.searched == len(rows)
        assert answer.query.paths == (query.paths[row],)


@pytest.mark.parametrize("name", [K_RECIPROCAL, TRACKS])
@pytest.mark.parametrize("among", FILTERS[:3], ids=["all", "cameras", "view and time"])
def test_re_ranked_with_the_other_queries_and_the_chosen_images_alone(session, sets, pipelines, name, among):
    query, gallery = sets
    rows = among.rows(gallery)
    distance = pipelines[name](query, gallery.select(rows)).distance.rows(0, len(query))
    for row in (3, 0, 3):  # kept, and the same again
        answer = session.pick(row, Settings(name, among, 9))
        check(answer, expected(query, row, gallery, rows.tolist(), distance[row].tolist(), 9, False))


def test_left_out_are_the_vehicles_images_in_the_querys_camera(session, sets):
    query, gallery = sets
    for row in range(len(query)):
        own = ((gallery.pids == query.pids[row]) & (gallery.camids == query.camids[row])).sum()
        wanted = int(own) if query.camids[row] >= 0 else 0
        assert session.pick(row, Settings(PLAIN)).left_out == wanted
        assert session.pick(row, Settings(PLAIN, own_camera=True)).left_out == 0


@pytest.mark.parametrize("name", [PLAIN, K_RECIPROCAL])
@pytest.mark.parametrize("candidates", [1, 12, 40, 99])
def test_candidates_alone(sets, pipelines, name, candidates):
    query, gallery = sets
    session = Session(gallery, pipelines, query, candidates=candidates)
    for row in range(len(query)):
        plain = [round(cosine_distance(query.features[row].tolist(), one.tolist()), 9) for one in gallery.features]
        nearest = sorted(sorted(range(len(gallery)), key=lambda image: (plain[image], image))[:candidates])
        distance = pipelines[name](query.select([row]), gallery.select(nearest)).distance.rows(0, 1)[0].tolist()
        answer = session.pick(row, Settings(name, top=8, own_camera=True))
        check(answer, expected(query, row, gallery, nearest, distance, 8, True))
        assert answer.searched == len(gallery)


def test_an_image_of_the_gallery_finds_the_others(sets, pipelines):
    _, gallery = sets
    session = Session(gallery, pipelines)
    answer = session.pick(4, Settings(PLAIN, top=100, own_camera=True))
    assert answer.ranking.images[:3] == (9, 21, 30)  # of the same feature
    assert sorted(answer.ranking.images) == [image for image in range(40) if image != 4]
    assert session.pick(0, Settings(TRACKS)).searched == 39


class TestPictures:
    def test_its_matches_are_those_of_its_feature(self, session, sets, pipelines, embed, picture):
        _, gallery = sets
        feature = embed(str(picture))
        for name in (PLAIN, K_RECIPROCAL):
            distance = pipelines[name](feature, gallery).distance.rows(0, 1)[0].tolist()
            answer = session.ask(str(picture), Settings(name, top=12))
            check(answer, expected(feature, 0, gallery, range(40), distance, 12, False))
            assert answer.left_out == 0

    def test_filters_hold_for_it(self, session, sets, picture):
        _, gallery = sets
        among = Filter(cameras=frozenset({1}))
        answer = session.ask(str(picture), Settings(PLAIN, among, 100))
        assert sorted(answer.ranking.images) == among.rows(gallery).tolist()

    def test_one_that_cannot_be_read_is_named_without_its_folder(self, sets, pipelines, tmp_path):
        def embed(path: str) -> FeatureSet:
            read_image(path)
            raise AssertionError

        bad = tmp_path / "bad.jpg"
        bad.write_bytes(b"no image")
        with pytest.raises(InputError, match=r"^Cannot read the image bad\.jpg: it is not an image"):
            Session(sets[1], pipelines, embed=embed).ask(str(bad), Settings(PLAIN))

    def test_a_feature_of_another_model(self, sets, pipelines, picture):
        session = Session(sets[1], pipelines, embed=lambda path: FeatureSet.create(torch.ones(1, 3), [-1]))
        with pytest.raises(InputError, match="The picture's features have 3 dimensions and the gallery's 8"):
            session.ask(str(picture), Settings(PLAIN))

    def test_without_a_model(self, sets, pipelines, picture):
        with pytest.raises(InputError, match="no model"):
            Session(sets[1], pipelines).ask(str(picture), Settings(PLAIN))


def test_nothing_is_left_to_search(session, picture):
    nothing = Settings(K_RECIPROCAL, Filter(cameras=frozenset({77})))
    for answer in (session.pick(0, nothing), session.ask(str(picture), nothing)):
        assert (answer.ranking.images, answer.searched, answer.left_out) == ((), 0, 0)


def test_find(session, sets):
    query, _ = sets
    assert session.find("") == list(range(6))
    assert session.find(" 1 ") == [row for row in range(6) if query.pids[row] == 1 or "1" in query.paths[row]]
    assert session.find("query_03") == [3]
    assert session.find("no such") == []


def test_further_features(sets):
    query, gallery = sets
    further = {"orientation": tuple(FeatureSet.create(side.features.roll(1, 1), side.pids) for side in sets)}
    pipelines = {"both": build_pipeline(["fuse_distances"])}
    session = Session(gallery, pipelines, query, further=further)
    among = Filter(cameras=frozenset({0, 1}))
    rows = among.rows(gallery)
    chosen = {"orientation": (further["orientation"][0], further["orientation"][1].select(rows))}
    distance = pipelines["both"](query, gallery.select(rows), chosen).distance.rows(0, 6)
    check(
        session.pick(2, Settings("both", among, 5)), expected(query, 2, gallery, rows.tolist(), distance[2].tolist(), 5, False)
    )


def test_several_threads(session):
    """Rankings that are not kept, from threads at once: numba's own would end the process."""
    found: dict[int, tuple[int, ...]] = {}
    settings = [Settings(K_RECIPROCAL, Filter(since=100 + 10 * row)) for row in range(6)]

    def work(row: int) -> None:
        found[row] = session.pick(row, settings[row]).ranking.images

    threads = [threading.Thread(target=work, args=(row,)) for row in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {
        row: session.pick(row, Settings(K_RECIPROCAL, Filter(since=100 + 10 * row))).ranking.images for row in found
    }
    assert len(found) == 6


def test_bad_input(session, sets, pipelines):
    query, gallery = sets
    for row in (-1, 6):
        with pytest.raises(InputError, match=f"There is no query {row}: there are 6"):
            session.pick(row, Settings(PLAIN))
    with pytest.raises(InputError, match="There is no re-ranking 'other': there are no re-ranking, k-reciprocal, tracks"):
        session.pick(0, Settings("other"))
    with pytest.raises(InputError, match="0 matches are asked for"):
        session.pick(0, Settings(PLAIN, top=0))
    with pytest.raises(InputError, match="The query's features have 4 dimensions"):
        Session(gallery, pipelines, FeatureSet.create(torch.eye(4), range(4)))
    with pytest.raises(InputError, match="no images to search"):
        Session(gallery.select([]), pipelines)
    tracks = Settings(TRACKS, Filter())
    unknown = FeatureSet.create(gallery.features, gallery.pids)
    with pytest.raises(InputError, match="needs track ids"):
        Session(unknown, pipelines, query).pick(0, tracks)


def test_inputs_are_unchanged(session, sets, picture):
    before = [side.features.clone() for side in sets]
    session.pick(0, Settings(K_RECIPROCAL))
    session.ask(str(picture), Settings(K_RECIPROCAL))
    assert all(torch.equal(side.features, old) for side, old in zip(sets, before, strict=True))
    assert Path(picture).is_file()
