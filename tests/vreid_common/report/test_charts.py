"""Charts: places of points and ticks in the view box."""

import re

import numpy as np
import pytest

from vreid_common.report.charts import cmc_chart, histogram_chart, scatter_chart


def corners(path):
    return np.array([[float(number) for number in pair.split()] for pair in re.split("[MLZ]", path) if pair])


def test_cmc_runs_from_below_the_lowest_to_100():
    chart = cmc_chart({"a": np.array([0.42, 0.6, 1.0]), "b": np.array([0.8, 0.9, 0.95])})
    left, top, right, bottom = chart.box
    first, second = (corners(line.path) for line in chart.drawn)
    assert [line.first for line in chart.drawn] == pytest.approx([42, 80])
    np.testing.assert_allclose(first[:, 0], [left, (left + right) / 2, right])
    np.testing.assert_allclose(first[2, 1], top)
    np.testing.assert_allclose(second[0, 1], bottom - (bottom - top) * (80 - 40) / 60, atol=0.06)
    assert [tick.label for tick in chart.y_ticks] == ["40", "50", "60", "70", "80", "90", "100"]
    assert chart.y_ticks[0].place == bottom


@pytest.mark.parametrize(("curve", "lowest"), [([1.0] * 50, "90"), ([0.0, 0.0], "0"), ([1.0], "90")])
def test_cmc_of_flat_and_short_curves(curve, lowest):
    chart = cmc_chart({"a": np.array(curve)})
    assert chart.y_ticks[0].label == lowest
    assert chart.x_ticks[0].label == "1"
    assert len(corners(chart.drawn[0].path)) == min(len(curve), 20)
    assert chart.x_ticks[-1].label == ("20" if len(curve) == 50 else "2")


def test_histograms_are_shares_of_their_kind():
    edges = np.linspace(0, 2, 5)
    chart = histogram_chart(
        edges, {"same": np.array([3, 1, 0, 0]), "none": np.zeros(4, int), "other": np.array([0, 100, 200, 100])}
    )
    assert [(area.kind, area.count) for area in chart.drawn] == [("same", 4), ("other", 400)]
    left, _, right, bottom = chart.box
    same = corners(chart.drawn[0].path)
    assert tuple(same[0]) == (left, bottom)
    assert tuple(same[-1]) == (right, bottom)
    height = bottom - same[1:-1:2, 1]
    np.testing.assert_allclose(height / height.sum(), [0.75, 0.25, 0, 0], atol=0.002)
    other = corners(chart.drawn[1].path)
    np.testing.assert_allclose((bottom - other[1:-1:2, 1]).sum(), height.sum(), atol=0.3)
    assert [tick.label for tick in chart.x_ticks] == ["0", "0.5", "1", "1.5", "2"]


def test_points_by_label_with_others_below():
    labels = [str(place % 25) for place in range(200)] + ["", "0", "0"]
    points = np.random.default_rng(0).random((203, 2))
    chart = scatter_chart("camera", points, labels, [f"image {place}" for place in range(203)])
    assert len(chart.marks) == 203
    assert len(chart.legend) == 21
    assert chart.legend[-1].name == "5 others"
    assert chart.legend[0].name == "0"
    own = [mark.category is not None for mark in chart.marks]
    assert own == sorted(own)
    by_title = {mark.title: mark for mark in chart.marks}
    assert by_title["image 200"].category is None
    assert by_title["image 0"].category == by_title["image 201"].category == 0
    assert by_title["image 3"].x == pytest.approx(10 + 380 * points[3, 0], abs=0.06)
    assert by_title["image 3"].y == pytest.approx(390 - 380 * points[3, 1], abs=0.06)


def test_points_of_no_known_label():
    chart = scatter_chart("vehicle", np.zeros((3, 2)), ["", "", ""], ["a", "b", "c"])
    assert [entry.name for entry in chart.legend] == ["not known"]
