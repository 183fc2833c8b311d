import pytest

from vreid_common.structures import VIEWS
from vreid_common.synthetic import view_of


@pytest.mark.parametrize(
    ("azimuth", "view"),
    [(0, "front"), (45, "front"), (67, "front"), (68, "side"), (90, "side"), (112, "side"), (113, "rear"), (180, "rear"),
     (247, "rear"), (248, "side"), (270, "side"), (292, "side"), (293, "front"), (360, "front"), (-45, "front"), (-90, "side"),
     (-180, "rear"), (810, "side")],
)  # fmt: skip
def test_bins(azimuth, view):
    assert VIEWS[view_of(azimuth)] == view


def test_left_and_right_are_alike():
    assert all(view_of(a) == view_of(-a) == view_of(a + 720) for a in range(0, 181, 5))
