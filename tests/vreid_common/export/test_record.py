"""The metadata of exported files."""

import json

import pytest

from vreid_common.errors import InputError
from vreid_common.export import ExportRecord


@pytest.mark.parametrize("crop", [None, (24, 24)])
def test_feature_properties_are_texts_that_say_it_all(make_record, crop):
    record = make_record(crop=crop, flip=True, features={"na": 4, "main": 8}, project="wcvl")
    properties = record.to_properties()
    assert all(isinstance(text, str) and name.startswith("vreid.") for name, text in properties.items())
    assert properties["vreid.features"] == '{"na": 4, "main": 8}'
    found = ExportRecord.from_properties({**properties, "author": "me"}, "x.onnx")
    assert found == record
    assert list(found.features) == ["na", "main"]
    assert record.input_size == (crop or (32, 40))


@pytest.mark.parametrize("lost", ["vreid.format", "vreid.size", "vreid.features"])
def test_exception(make_record, lost):
    properties = make_record().to_properties()
    for other in ({}, {**properties, lost: '"vreid-export-0"'} if lost.endswith("format") else None, {**properties, lost: "{"}):
        if other is not None:
            with pytest.raises(InputError, match="x.onnx lacks the metadata of `vreid export`"):
                ExportRecord.from_properties(other, "x.onnx")
    del properties[lost]
    with pytest.raises(InputError, match="x.onnx lacks the metadata of `vreid export`"):
        ExportRecord.from_properties(properties, "x.onnx")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("size", [10**9, 10**9]), ("size", [0, 5]), ("size", [32]), ("size", None), ("size", "ab"), ("size", [True, 5]),
        ("crop", [-1, 5]), ("pixel_mean", [1, 2]), ("pixel_std", ["a", "b", "c"]), ("flip", 1), ("features", {}),
        ("features", {"f": "x"}), ("features", [1]), ("preprocessing", "none of them"), ("project", 7), ("checkpoint", None),
    ],
)  # fmt: skip
def test_exception_values_that_no_export_has(make_record, name, value):
    """A stranger's file: images of this size are made before the graph sees them."""
    properties = {**make_record().to_properties(), f"vreid.{name}": json.dumps(value)}
    with pytest.raises(InputError, match="x.onnx lacks the metadata of `vreid export`"):
        ExportRecord.from_properties(properties, "x.onnx")
