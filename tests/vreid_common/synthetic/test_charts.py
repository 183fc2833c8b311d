import numpy as np
import pytest

from vreid_common.synthetic.charts import Chart, Charts, Kind, to_linear


@pytest.mark.parametrize("sign", [1, -1])
def test_rectangle_is_where_it_is_on_the_vehicle(sign):
    chart = Chart((-2, 0), (3, 2), 10, sign)
    chart.rectangle((1, 0.5), (2, 1.5), (200, 10, 20), Kind.LAMP)
    rows, columns = np.nonzero(chart.kind == Kind.LAMP)
    middle = chart.pixels(np.array([[1.5, 1.0]]))[0]
    assert (columns.mean(), rows.mean()) == pytest.approx(middle, abs=0.6)
    assert len(rows) == pytest.approx(100, rel=0.25)
    # Seen from the left side of the vehicle (sign -1), its front is on the left.
    assert (columns.mean() < chart.kind.shape[1] / 2) == (sign < 0)


@pytest.mark.parametrize("sign", [1, -1])
def test_letters_are_not_mirrored_on_either_side(sign):
    chart = Chart((-1, 0), (1, 1), 60, sign)
    chart.text("L", (-0.5, 0.1), (0.5, 0.9), (255, 255, 255))
    drawn = chart.rgb[..., 0] > 128
    columns = np.flatnonzero(drawn.any(axis=0))
    half = (columns[0] + columns[-1]) // 2
    assert drawn[:, :half].sum() > 1.5 * drawn[:, half:].sum()  # the upright stroke is on the left


def test_drawing_outside_the_chart_is_cut_off():
    chart = Chart((0, 0), (1, 1), 20)
    chart.text("ABC", (-5, -5), (-4, -4), (255, 255, 255))
    chart.disc((1.0, 1.0), 0.5, (255, 255, 255), Kind.PAINT)
    assert 0 < (chart.rgb[..., 0] > 0).mean() < 0.4


def test_atlas_keeps_charts_and_swatches_apart():
    charts = Charts()
    charts["a"], charts["b"] = Chart((0, 0), (1, 1), 8, rgb=(255, 0, 0)), Chart((0, 0), (2, 1), 8, rgb=(0, 255, 0))
    blue = charts.swatch((0, 0, 255), Kind.METAL)
    assert charts.swatch((0, 0, 255), Kind.METAL) == blue
    gray = charts.swatch((128, 128, 128))
    atlas = charts.pack()
    for name, color in (("a", (1, 0, 0)), ("b", (0, 1, 0))):
        column, row = atlas.origin[name]
        height, width = charts[name].kind.shape
        assert (atlas.rgb[row : row + height, column : column + width] == color).all()
    for swatch, color, kind in ((blue, (0, 0, 255), Kind.METAL), (gray, (128, 128, 128), Kind.MATTE)):
        column, row = (int(v) for v in atlas.swatch_uv(swatch))
        assert atlas.rgb[row : row + 2, column : column + 2] == pytest.approx(np.broadcast_to(to_linear(color), (2, 2, 3)))
        assert atlas.kind[row, column] == kind
