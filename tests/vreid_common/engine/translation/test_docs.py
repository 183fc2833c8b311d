"""docs/translation.md: its table of options says what the defaults are."""

import re
from pathlib import Path

from vreid_common.cli import build_parser

PAGE = (Path(__file__).parents[4] / "docs" / "translation.md").read_text(encoding="utf-8")


def test_defaults():
    """The options of each row have the defaults that its last column says, or its second for "the paper's"."""
    args = build_parser().parse_args(["translate", "train", "--source", "a", "--target", "b", "--output", "c"])
    rows = [[cell.strip() for cell in row.split("|")[1:-1]] for row in re.findall(r"^\| `--.*", PAGE, re.MULTILINE)]
    checked = 0
    for options, paper, default in rows:
        names = re.findall(r"`-+([a-z0-9-]+)`", options)
        if "discriminator-width" in names:
            names = [names[0], *(f"discriminator-{name}" for name in names[1:])]
        if "…" in options:
            names = [f"lambda{number}" for number in range(5)]
        values = re.findall(r"\d+(?:\.\d+)?(?:e-\d+)?", (paper if default == "the paper's" else default).replace(",000", "000"))
        for name, value in zip(names, values, strict=False):
            given = getattr(args, name.replace("-", "_"))
            assert (given[0] if isinstance(given, tuple) else given) == float(value), name
            checked += 1
    assert checked == 17
