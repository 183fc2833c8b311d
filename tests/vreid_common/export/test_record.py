"""The metadata of exported files."""

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
