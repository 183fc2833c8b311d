"""docs/architecture.md: every part of vreid_common stands in its section on layers."""

from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LAYERS = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8").split("## Layers")[1].split("## Contracts")[0]
PARTS = sorted(
    path.stem
    for path in (ROOT / "vreid_common").iterdir()
    if (path.suffix == ".py" or (path / "__init__.py").is_file()) and not path.name.startswith("__")
)


@pytest.mark.parametrize("part", PARTS)
def test_part_is_in_the_layers(part):
    assert f"`{part}`" in LAYERS or f"`vreid_common.{part}`" in LAYERS
