import numpy as np
import pytest

from vreid_common.errors import InputError
from vreid_common.report import draw_cmc


def test_feature_a_line_a_model_in_percent():
    figure = draw_cmc({"S": [0.5, 0.75, 0.75, 1.0], "S+D": np.array([0.8, 0.9])}, title="Q-2400", max_rank=3)
    (axes,) = figure.axes
    first, second = axes.get_lines()
    assert first.get_xydata().tolist() == [[1, 50], [2, 75], [3, 75]]
    assert second.get_xydata().tolist() == [[1, 80], [2, 90]]
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["S (50.0)", "S+D (80.0)"]
    assert axes.get_title() == "Q-2400"


@pytest.mark.parametrize("curve", [[], [0.5, 0.4], [50.0, 60.0], [float("nan")], [[0.5]]])
def test_exception_what_is_no_cmc(curve):
    with pytest.raises(InputError, match="The CMC of 'S' has to be rising fractions"):
        draw_cmc({"S": curve})


@pytest.mark.parametrize(("curves", "ranks"), [({}, 20), ({"S": [0.5]}, 1)])
def test_exception_nothing_to_draw(curves, ranks):
    with pytest.raises(InputError, match="needs a curve and 2 ranks"):
        draw_cmc(curves, max_rank=ranks)
