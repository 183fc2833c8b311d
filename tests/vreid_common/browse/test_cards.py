"""The answer as HTML: labels, signs, placeholders, and nothing of a label as mark-up."""

import re
from dataclasses import replace

from vreid_common.browse import Filter, Session, Settings
from vreid_common.browse.cards import Cards

PLAIN = "no re-ranking"


def test_matches(session, sets):
    query, gallery = sets
    answer = session.pick(2, Settings(PLAIN, top=6))
    page = Cards(session).answer(answer, "Query 3")
    assert re.findall(r'data-image="(\d+)"', page) == [str(image) for image in answer.ranking.images]
    assert page.count("<img") == 7
    assert f"vehicle {query.pids[2]}</b>" in page
    for image, distance, correct in zip(*(getattr(answer.ranking, n) for n in ("images", "distances", "correct")), strict=True):
        card = page.split(f'data-image="{image}"')[1].split("</li>")[0]
        assert f"<span>{distance:#.4g}</span>" in card
        assert {True: "is-right", False: "is-wrong", None: "is-open"}[correct] in card
        for name, label in (("camera", gallery.camids), ("track", gallery.track_ids), ("time", gallery.timestamps)):
            assert (f"{name} {label[image]}<" in card) == (label[image] >= 0)
    assert "40 of 40 images searched, no re-ranking, cosine distance" in page


def test_a_missing_file_has_a_placeholder(session):
    page = Cards(session).answer(session.pick(0, Settings(PLAIN, top=40, own_camera=True)), "Query 1")
    assert page.count("no picture") == 1
    assert "gallery_00_of_0.png cannot be shown" in page
    assert page.count("<img") == 40


def test_names_are_no_mark_up(sets, pipelines):
    _, gallery = sets
    named = replace(gallery, paths=('<b onclick="x">.png',) * len(gallery))
    page = Cards(session := Session(named, pipelines)).answer(session.pick(0, Settings(PLAIN)), "Query")
    assert "<b onclick" not in page
    assert "&lt;b onclick" in page


def test_nothing_found(session):
    page = Cards(session).answer(session.pick(0, Settings(PLAIN, Filter(cameras=frozenset({9})))), "Query 1")
    assert "No image of the gallery is left to search" in page


def test_a_problem(session):
    assert "a &lt; b" in Cards(session).problem("a < b")
