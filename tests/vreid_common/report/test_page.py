"""The page: whole, by itself, escaped, and with the numbers of the evaluation in it."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from vreid_common.evaluation import (
    AICitySubmission,
    ImageToTrack,
    OneGalleryImage,
    SameCameraExcluded,
    evaluate_queries,
    evaluate_ranking,
)
from vreid_common.report.activation_pairs import ActivationPair, choose_pairs
from vreid_common.report.analysis import Amounts, analyse
from vreid_common.report.html import breakable
from vreid_common.report.page import Page, render_page, write_page
from vreid_common.report.ranking import Ranking
from vreid_common.reranking.pipeline import Pipeline, build_pipeline
from vreid_common.structures import FeatureRows, FeatureSet

AMOUNTS = Amounts(queries=2, images=5, points=40)


def rankings(sets, *names):
    pipelines = {"no re-ranking": Pipeline(), "expanded": build_pipeline(["average_query_expansion"]), "<b>": Pipeline()}
    return [Ranking(name, pipelines[name], *sets) for name in names or ("no re-ranking",)]


def page_of(analysis, **changes):
    settings = {"queries": "q.safetensors", "a <setting>": "x & y"}
    page = Page("Street & <script>alert(1)</script>", analysis, "2026-01-02 03:04 UTC", settings, {"model": "A: <b>\n"})
    return replace(page, **changes)


@pytest.fixture
def analysis(sets):
    return analyse(rankings(sets), SameCameraExcluded(), AMOUNTS)


def test_smoke_sections_and_heading(analysis, read_page):
    page = read_page(render_page(page_of(analysis)))
    assert page.text("h1") == page.all("title")[0][1] == "Street & <script>alert(1)</script>"
    sections = [found["id"] for found, _ in page.all("section")]
    assert sections == ["metrics", "cmc", "rank-lists", "distances", "plane", "groups", "confusions", "settings"]
    assert [found["href"][1:] for found, _ in page.all("a")[1:]] == sections
    assert page.text("pre") == "A: <b>"
    assert "x & y" in [text for _, text in page.all("td")]
    assert "2026-01-02 03:04 UTC" in page.text("footer")


def test_metrics_are_those_of_evaluate_ranking(sets, read_page):
    found = analyse(rankings(sets, "no re-ranking", "expanded"), SameCameraExcluded(), AMOUNTS)
    page = read_page(render_page(page_of(found)))
    query, gallery = sets
    labels = query.pids, gallery.pids, query.camids, gallery.camids
    heads = [text for _, text in page.all("th", scope="col")]
    columns = heads[1 : heads.index("query ↓ gallery →")]
    assert columns[:5] == ["mAP", "Rank-1", "Rank-5", "Rank-10", "mINP"]
    values = [text for _, text in page.all("td")]
    expanded = build_pipeline(["average_query_expansion"])(query, gallery).distance
    for row, distance in enumerate((FeatureRows(query.features, gallery.features), expanded)):
        expected = evaluate_ranking(distance, *labels)
        numbers = [expected.mAP, *(expected.cmc[rank] for rank in (0, 4, 9)), expected.mINP]
        assert values[row * len(columns) :][:5] == [f"{100 * float(number):.2f}" for number in numbers]
    assert "re-ranked as each row says" in page.all("p", class_="note")[0][1]
    (curves,) = (found for found, _ in page.all("svg") if (found.get("aria-label") or "").startswith("CMC"))
    assert curves["aria-label"] == "CMC curves of no re-ranking; expanded"


def test_rank_lists_show_the_order_the_marks_and_the_labels(sets, analysis, read_page):
    query, gallery = sets
    page = read_page(render_page(page_of(analysis)))
    distance = FeatureRows(query.features, gallery.features)
    ap = evaluate_queries(distance, query.pids, gallery.pids, query.camids, gallery.camids).ap
    order = sorted(range(len(query)), key=lambda row: (-ap[row], row))
    assert analysis.examples["best"] == order[:2]
    assert analysis.examples["worst"] == order[:-3:-1]
    shown = [int(found["aria-label"].removeprefix("Query ")) for found, _ in page.all("article", class_="query")]
    assert shown == [row for rows in analysis.examples.values() for row in rows]
    assert [text for _, text in page.all("p", class_="list-head")] == [f"no re-ranking AP {100 * ap[row]:.2f}" for row in shown]
    items = page.all("li", class_="shot")
    alts = [found["alt"] for found, _ in page.all("img") if (found["alt"] or "").startswith("Rank ")]
    frames = [found["class"] for found, _ in page.all("span", class_="frame") if "is-query" not in found["class"]]
    assert len(items) == len(alts) == 5 * len(shown)
    for number, row in enumerate(shown):
        values = distance.rows(row, row + 1)[0]
        junk = (gallery.pids == query.pids[row]) & (gallery.camids == query.camids[row])
        first = [g for g in values.argsort(stable=True).tolist() if not junk[g]][:5]
        for place, g in enumerate(first):
            right = bool(gallery.pids[g] == query.pids[row])
            camera, track = int(gallery.camids[g]), int(gallery.track_ids[g])
            assert items[5 * number + place][1] == f"{float(values[g]):#.4g}camera {camera} track {track}"
            assert alts[5 * number + place] == (
                f"Rank {place + 1}: vehicle {int(gallery.pids[g])}, camera {camera}, track {track}, "
                f"{'the query' if right else 'another vehicle'}{chr(39) + 's vehicle' if right else ''}"
            )
            assert frames[5 * number + place] == f"frame is-{'right' if right else 'wrong'}"


def test_the_same_input_gives_the_same_bytes(sets, make_set):
    first = render_page(page_of(analyse(rankings(sets), SameCameraExcluded(), AMOUNTS)))
    assert render_page(page_of(analyse(rankings(sets), SameCameraExcluded(), AMOUNTS))) == first
    later = render_page(page_of(analyse(rankings(sets), SameCameraExcluded(), AMOUNTS), written="later"))
    assert later.replace("later", "2026-01-02 03:04 UTC") == first


def test_names_of_users_are_text(sets, read_page):
    query = replace(sets[0], paths=tuple(f'/x/<img src=x onerror="1">{i}' for i in range(12)))
    found = analyse(rankings((query, sets[1]), "<b>", "expanded"), SameCameraExcluded(), AMOUNTS)
    html = render_page(page_of(found))
    page = read_page(html)
    assert "<script" not in html
    assert {text for _, text in page.all("summary")} == {
        "<b>",
        "expanded",
        "Configuration of model",
        "What these mean",
        "Best",
        "Worst",
        "Random",
    }
    assert '<img src=x onerror="1">0' in {text for _, text in page.all("span", class_="gone")}


def test_missing_images_have_placeholders_and_one_line(make_set, read_page):
    sets = make_set("q", 12, 0, images=False), make_set("g", 60, 1)
    Path(sets[1].paths[0]).write_bytes(b"damaged")
    page = read_page(render_page(page_of(analyse(rankings(sets), SameCameraExcluded(), AMOUNTS))))
    line = page.text("p", class_="warning")
    shown = {text for _, text in page.all("span", class_="gone")}
    assert int(re.match(r"\d+", line)[0]) == len(shown)
    assert "No such file" in line
    assert all(found["aria-label"].endswith(f"not shown: {text}") for found, text in page.all("span", class_="gone"))
    assert page.all("img")


def test_a_file_name_that_is_no_unicode(sets, tmp_path):
    query = replace(sets[0], paths=tuple(f"/gone/m\udce4rz{i}.jpg" for i in range(12)))
    page = page_of(analyse(rankings((query, sets[1])), SameCameraExcluded(), AMOUNTS))
    size = write_page(page, tmp_path / "page.html")
    content = (tmp_path / "page.html").read_bytes()
    assert len(content) == size
    assert "m?rz0.jpg" in content.decode()


def test_no_paths_at_all(sets, read_page):
    sets = [FeatureSet.create(side.features, side.pids, side.camids) for side in sets]
    page = read_page(render_page(page_of(analyse(rankings(sets), SameCameraExcluded(), AMOUNTS))))
    assert "The images have no paths." in page.text("p", class_="warning")
    assert not page.all("img")


@pytest.mark.parametrize("protocol", [SameCameraExcluded(), AICitySubmission()])
def test_without_labels(sets, read_page, protocol):
    sets = [FeatureSet.create(side.features, np.full(len(side), -1), paths=side.paths) for side in sets]
    found = analyse(rankings(sets, "no re-ranking", "expanded"), protocol, AMOUNTS)
    page = read_page(render_page(page_of(found)))
    assert [found["id"] for found, _ in page.all("section")] == ["metrics", "rank-lists", "distances", "plane", "settings"]
    assert "no identities, so nothing is measured" in page.all("p", class_="note")[0][1]
    assert {frame["class"] for frame, _ in page.all("span", class_="frame")} == {"frame is-query", "frame is-open"}
    assert "all pairs: 720" in [text for _, text in page.all("li")]
    assert not found.labelled
    assert choose_pairs(found, 9) == [(row, found.rankings[0].lists[row].images[0]) for row in found.examples["random"]]


def test_cardinality_one_query_and_one_gallery_image(make_set, read_page):
    query, gallery = make_set("q", 1, 0), make_set("g", 1, 1)
    query.camids[0], gallery.camids[0] = 0, 1
    found = analyse(rankings((query, gallery)), SameCameraExcluded(), Amounts())
    page = read_page(render_page(page_of(found)))
    assert found.examples == {"best": [0], "worst": [], "random": []}
    assert found.layout is None
    assert "plane" not in [section["id"] for section, _ in page.all("section")]
    assert "same vehicle: 1" in [text for _, text in page.all("li")]
    assert "None: the first image of every query" in " ".join(text for _, text in page.all("p", class_="note"))


@pytest.mark.parametrize(
    ("protocol", "says"),
    [
        (OneGalleryImage(num_draws=3), "of the first of the 3 draws"),
        (ImageToTrack(), "ranked image by image, by the same rule"),
    ],
)
def test_what_is_shown_of_other_protocols_is_said(sets, read_page, protocol, says):
    found = analyse(rankings(sets), protocol, AMOUNTS)
    page = read_page(render_page(page_of(found)))
    assert sum(says in text for _, text in page.all("p", class_="note")) == 1
    if isinstance(protocol, OneGalleryImage):
        assert len(found.gallery) == 5
        assert found.rankings[0].survey.positives.sum() == len(found.query) == 67


def test_pairs_are_the_nearest_matches_in_turn(sets, analysis):
    pairs = choose_pairs(analysis, 4)
    best, worst, others = analysis.examples.values()
    assert [row for row, _ in pairs] == [best[0], worst[0], others[0], best[1]]
    for row, image in pairs:
        assert image == analysis.rankings[0].survey.match.images[row]
        assert sets[0].pids[row] == sets[1].pids[image]


def test_activation_maps_of_two_models(analysis, read_page):
    uri = "data:image/jpeg;base64,AAAA"
    pairs = [ActivationPair(row, image, {"as seen": (uri, uri), "R50 <1>": (uri, uri), "WCVL": (uri, uri)})
             for row, image in choose_pairs(analysis, 2)]  # fmt: skip
    page = read_page(render_page(page_of(analysis, activations=pairs)))
    assert "activation" in [found["id"] for found, _ in page.all("section")]
    names = [text for _, text in page.all("p") if text in ("as seen", "R50 <1>", "WCVL")]
    assert names == ["as seen", "R50 <1>", "WCVL"] * 2
    assert sum(found["src"] == uri for found, _ in page.all("img")) == 12


def test_a_feature_whose_map_is_one_colour_is_left_out_and_said(analysis, read_page):
    uri = "data:image/jpeg;base64,AAAA"
    pairs = [ActivationPair(0, 0, {"as seen": (uri, uri), "WCVL, main": (uri, uri)}, flat=("WCVL, na",))]
    page = read_page(render_page(page_of(analysis, activations=pairs)))
    assert sum("There is no map of WCVL, na:" in text for _, text in page.all("p", class_="note")) == 1


def test_names_and_metrics_are_explained_where_they_stand(sets, read_page):
    found = analyse([Ranking("na", Pipeline(), *sets)], SameCameraExcluded(), AMOUNTS)
    page = read_page(render_page(page_of(found, terms={"na": "Two features as one.", "cv": "Another."})))
    assert [text for _, text in page.all("dt") if text in ("na", "cv", "mINP")] == ["na", "mINP"]
    assert any(text.startswith("Mean inverse negative penalty") for _, text in page.all("dd"))


def test_names_break_at_their_joints():
    assert breakable("k_reciprocal(k1=20, k2=6)") == "k_<wbr>reciprocal(<wbr>k1=<wbr>20, k2=<wbr>6)"
    assert breakable("<b>a+b") == "&lt;b&gt;a+<wbr>b"


def test_long_parts_are_folded(analysis):
    html = render_page(page_of(analysis))
    assert '<details id="best" open>' in html
    assert '<details id="worst" >' in html
