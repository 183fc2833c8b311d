"""Rows of classifiers go where their vehicles are."""

import logging

import pytest
import torch
from fastreid.layers import any_softmax
from torch import Tensor, nn

from vreid_common.weights import classifier_parameters, move_rows, training_classes, training_on


class Head(nn.Module):
    """As FastReID's, here with a second classifier, as PartialReID's has one, and a bias."""

    def __init__(self, classes: int, dim: int = 3) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(classes, dim))
        self.weight_occ = nn.Parameter(torch.randn(classes, dim + 1))
        self.bias = nn.Parameter(torch.randn(classes))
        self.scale = nn.Parameter(torch.ones(1))
        self.cls_layer = any_softmax.Linear(classes, 1, 0)
        self.bottleneck = nn.BatchNorm1d(dim)


def model_of(classes: int) -> nn.Module:
    return nn.ModuleDict({"one": Head(classes), "two": nn.ModuleList([Head(classes)])})


CLASSIFIERS = [f"{head}.{name}" for head in ("one", "two.0") for name in ("weight", "weight_occ", "bias")]


def test_every_parameter_with_a_row_a_class_is_found():
    assert classifier_parameters(model_of(5)) == CLASSIFIERS


@pytest.mark.parametrize("ours", [["b", "new", "a"], ["a", "c", "b"], ["x", "y"], ["d", "c", "b", "a", "e"]])
def test_rows_are_moved_by_name(ours: list[str], caplog: pytest.LogCaptureFixture):
    theirs = ["a", "b", "c"]
    source, target = model_of(3), model_of(len(ours))
    state = {key: value.clone() for key, value in source.state_dict().items()}
    with caplog.at_level(logging.INFO):
        move_rows(target, state, "m.pth", theirs, ours)
    known = [name for name in ours if name in theirs]
    said = f"the rows of {len(known)} vehicles are kept, {len(ours) - len(known)} are new and begin untrained, "
    assert said + f"{3 - len(known)} of the file's are gone" in caplog.text
    for key in CLASSIFIERS:
        for row, name in enumerate(ours):
            rows = source.state_dict()[key] if name in theirs else target.state_dict()[key]
            assert torch.equal(state[key][row], rows[theirs.index(name) if name in theirs else row]), (key, name)
    untouched = set(source.state_dict()) - set(CLASSIFIERS)
    assert all(torch.equal(state[key], source.state_dict()[key]) for key in untouched)


def moved(theirs: list[str] | None, ours: list[str] | None, classes: tuple[int, int]) -> tuple[dict[str, Tensor], nn.Module]:
    source, target = model_of(classes[0]), model_of(classes[1])
    state = dict(source.state_dict())
    move_rows(target, state, "m.pth", theirs, ours)
    return state, source


def test_the_same_vehicles_and_an_evaluation_change_nothing(caplog: pytest.LogCaptureFixture):
    with caplog.at_level(logging.INFO):
        for theirs, ours in ((["a", "b"], ["a", "b"]), (["a", "b"], None), (None, None)):
            state, source = moved(theirs, ours, (2, 2))
            assert all(torch.equal(value, source.state_dict()[key]) for key, value in state.items())
    assert not caplog.text


def test_without_names_equal_numbers_are_taken_as_they_are_and_others_left_out(caplog: pytest.LogCaptureFixture):
    with caplog.at_level(logging.INFO):
        state, source = moved(None, ["a", "b"], (2, 2))
    assert torch.equal(state["one.weight"], source.state_dict()["one.weight"])
    assert "m.pth does not name the vehicles of one.weight: its rows are taken in their order" in caplog.text
    state, _ = moved(None, ["a", "b", "c"], (2, 3))
    assert not set(state) & set(CLASSIFIERS)
    state, _ = moved(["a", "b"], None, (2, 0))
    assert not set(state) & set(CLASSIFIERS)


def test_the_classes_of_a_training_are_known_while_its_model_is_built():
    assert training_classes() is None
    with training_on(["a", "b"]):
        assert training_classes() == ("a", "b")
    assert training_classes() is None
