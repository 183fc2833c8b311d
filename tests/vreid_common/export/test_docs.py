"""The Python in docs/export.md runs as it stands, and its table of keys is the record's."""

import re
from pathlib import Path

import pytest
import torch
from PIL import Image
from torchvision.transforms.functional import pil_to_tensor

from vreid_common.export import DeployedNetwork, ExportRecord, trace, write_onnx, write_program
from vreid_common.export.seal import DIGEST

PAGE = (Path(__file__).parents[3] / "docs" / "export.md").read_text(encoding="utf-8")


class TwoFeatures(torch.nn.Module):
    """As WCVL: several features by name, the main one first."""

    def __init__(self, model: torch.nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, batch: dict) -> dict[str, torch.Tensor]:
        features = self.model(batch)
        return {"na": features, "main": 2 * features}


@pytest.mark.parametrize("outputs", [1, 2])
def test_examples_run(outputs, run_examples, baseline, make_record, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    program = trace(DeployedNetwork(baseline if outputs == 1 else TwoFeatures(baseline)), (32, 40))
    record = make_record(features={"features": 8} if outputs == 1 else {"na": 8, "main": 8})
    write_onnx(program, Path("model.onnx"), record)
    write_program(program, Path("model.pt2"), record)
    image = Image.effect_noise((90, 70), 60).convert("RGB")
    image.save("query.jpg")
    resized = Image.open("query.jpg").resize((40, 32), Image.Resampling.BICUBIC)
    with torch.no_grad():
        expected = baseline({"images": pil_to_tensor(resized)[None]})
    given = run_examples("docs/export.md")
    by_onnx, *others = given["session"].run(None, {"images": given["images"]})
    for found in (torch.as_tensor(by_onnx), given["features"]):
        torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)
    assert len(others) == len(given["others"]) == outputs - 1


def test_the_table_of_keys_is_the_record(make_record):
    rows = re.findall(r"^\| (`vreid\..*?) \|", PAGE, re.MULTILINE)
    assert [key for row in rows for key in re.findall(r"`(vreid\.\w+)`", row)] == [*make_record().to_properties(), DIGEST]
    assert ExportRecord.from_properties(make_record().to_properties(), "x") == make_record()
