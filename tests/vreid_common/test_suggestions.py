import pytest

from vreid_common.suggestions import did_you_mean

SETS = ["CSVVehicles", "VRIC", "VeRi", "VeRi776", "VehicleID"]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("ＶｅＲｉ776", "did you mean VeRi776 or VeRi?"),
        ("veri776", "did you mean VeRi776 or VeRi?"),
        ("csvvehicle", "did you mean CSVVehicles or VehicleID?"),
        ("?", ""),
        ("", ""),
    ],
)
def test_names_like_it(name, said):
    assert did_you_mean(name, SETS) == said


def test_three_names_and_no_more():
    assert did_you_mean("row", ["row1", "row2", "row3", "row4"]) == "did you mean row4, row3 or row2?"
    assert did_you_mean("row", ["row1", "row2"], count=1, quote="`") == "did you mean `row2`?"


def test_names_that_differ_in_case_only_are_both_named():
    assert did_you_mean("ab", ["AB", "Ab"]) == "did you mean AB or Ab?"


def test_nothing_known():
    assert did_you_mean("a", []) == ""
