"""The Python in docs/export.md runs as it stands, and its table of keys is the record's."""

import re
from pathlib import Path

import torch
from PIL import Image
from torchvision.transforms.functional import pil_to_tensor

from vreid_common.export import DeployedNetwork, ExportRecord, trace, write_onnx, write_program

PAGE = (Path(__file__).parents[3] / "docs" / "export.md").read_text(encoding="utf-8")


def test_examples_run(baseline, make_record, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    program = trace(DeployedNetwork(baseline), (32, 40))
    write_onnx(program, Path("model.onnx"), make_record())
    write_program(program, Path("model.pt2"), make_record())
    image = Image.effect_noise((90, 70), 60).convert("RGB")
    image.save("query.jpg")
    resized = Image.open("query.jpg").resize((40, 32), Image.Resampling.BICUBIC)
    with torch.no_grad():
        expected = baseline({"images": pil_to_tensor(resized)[None]})
    examples = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert len(examples) == 2
    given: dict = {}
    for example in examples:
        exec(compile(example, "export.md", "exec"), given)
        torch.testing.assert_close(torch.as_tensor(given["features"]), expected, atol=1e-4, rtol=1e-4)


def test_the_table_of_keys_is_the_record(make_record):
    rows = re.findall(r"^\| (`vreid\..*?) \|", PAGE, re.MULTILINE)
    assert [key for row in rows for key in re.findall(r"`(vreid\.\w+)`", row)] == list(make_record().to_properties())
    assert ExportRecord.from_properties(make_record().to_properties(), "x") == make_record()
