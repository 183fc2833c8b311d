import pytest
import torch
from ealn.views import ViewRows, batch_mean, check_view_labels

from vreid_common.errors import InputError
from vreid_common.structures import VehicleImage

FRONT, REAR, SIDE, UNKNOWN = 0, 1, 2, -1


@pytest.mark.parametrize("views", [[FRONT, REAR, SIDE, UNKNOWN, FRONT], [REAR, REAR], [UNKNOWN], [FRONT], [SIDE, SIDE, FRONT]])
def test_rows_of_a_view_go_and_come_back(views):
    values = torch.rand(len(views), 2)
    rows = ViewRows.of(torch.tensor(views), "front")
    spread = rows.spread(values[rows.index])
    for place, view in enumerate(views):
        assert torch.equal(spread[place], values[place] if view == FRONT else torch.zeros(2))
    assert len(rows.index) >= 1


def test_a_stand_in_has_no_gradient_and_no_nan_gets_through():
    values = torch.tensor([float("nan")], requires_grad=True)
    rows = ViewRows.of(torch.tensor([REAR, SIDE]), "front")
    loss = batch_mean(rows.spread(values), rows.shown)
    loss.backward()
    assert loss == 0
    assert values.grad.tolist() == [0]


@pytest.mark.parametrize("counted", [[True, False, True], [False, False, False], [True] * 3])
def test_mean_of_the_counted(counted):
    values = torch.tensor([1.0, float("inf"), 4.0]) if not counted[1] else torch.tensor([1.0, 2.0, 4.0])
    expected = [value for value, take in zip(values.tolist(), counted, strict=True) if take]
    assert batch_mean(values, torch.tensor(counted)) == pytest.approx(sum(expected) / max(len(expected), 1))
    assert batch_mean(torch.tensor([1.0, 3.0])) == 2


def item(view):
    return VehicleImage("a.jpg", "a_1", 0, view_id=view)


@pytest.mark.parametrize(("views", "missing"), [([UNKNOWN, UNKNOWN], "front"), ([FRONT, SIDE], "rear"), ([], "front")])
def test_exception_no_labels(views, missing):
    with pytest.raises(InputError, match=rf"EALN.VIEW.ENABLED needs .* none that show the {missing}: .*False\.$"):
        check_view_labels([item(view) for view in views])


def test_some_labels_are_enough():
    check_view_labels([item(view) for view in (UNKNOWN, REAR, FRONT)])
