"""Every configuration of the projects and of the template is one that the schema of the keys takes."""

import importlib
import importlib.util
from pathlib import Path

import pytest

from vreid_common.engine import load_config

ROOT = Path(__file__).parents[2]
CONFIGS = sorted(ROOT.glob("projects/*/configs/**/*.yml"))


def test_there_are_some():
    assert len(CONFIGS) > 100


@pytest.mark.parametrize("project", sorted({path.relative_to(ROOT).parts[1] for path in CONFIGS}))
def test_configurations_are_read(project: str):
    (package,) = (path.parent.name for path in (ROOT / "projects" / project).glob("*/config.py"))
    add_config = getattr(importlib.import_module(package), f"add_{package}_config")
    for path in CONFIGS:
        if path.relative_to(ROOT).parts[1] == project:
            load_config(add_config, str(path))


def test_configurations_of_the_template_are_read():
    folder = ROOT / "docs" / "template"
    spec = importlib.util.spec_from_file_location("template_config", folder / "template" / "config.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    for path in folder.glob("configs/**/*.yml"):
        load_config(module.add_template_config, str(path), ["MODEL.LOSSES.NAME", "('CrossEntropyLoss',)"])
