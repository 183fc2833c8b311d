"""The site, built in strict mode: a link, an anchor or an entry of the navigation that leads nowhere ends the build."""

import importlib
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = sorted(f"vreid_common.{path.parent.name}" for path in ROOT.glob("vreid_common/*/__init__.py"))


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", folder]
    environment = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def test_pages_lie_where_the_repository_has_them(site):
    for page in [*ROOT.glob("docs/*.md"), *ROOT.glob("projects/*/README.md")]:
        place = page.relative_to(ROOT)
        folder = place.parent if place.name == "README.md" else place.with_suffix("")
        assert (site / folder / "index.html").is_file()
    assert "<h1" in (site / "index.html").read_text(encoding="utf-8")
    # Sources that pages link to.
    assert (site / "projects" / "DSAM" / "dsam" / "config.py").is_file()


def test_docstrings_are_there(site):
    """All names that the packages export, under their own or, where that is a module's too, under the module's."""
    shown = set(re.findall(r'id="(vreid_common[^"]*)"', (site / "docs" / "api" / "index.html").read_text(encoding="utf-8")))
    for name in PACKAGES:
        package = importlib.import_module(name)
        lacking = {public for public in package.__all__ if not {f"{name}.{public}", f"{name}.{public}.{public}"} & shown}
        assert not lacking, f"add `::: {name}.NAME.NAME` to docs/api.md"


def test_nothing_is_loaded_from_other_hosts(site):
    loading = re.compile(r'<(?:script|img|link rel="(?:stylesheet|preconnect)")[^>]*(?:src|href)="(?:https?:)?//')
    assert [page for page in site.rglob("*.html") if loading.search(page.read_text(encoding="utf-8"))] == []


def test_every_public_package_is_on_the_page_of_functions():
    named = re.findall(r"^::: (\S+)$", (ROOT / "docs" / "api.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert set(PACKAGES) <= set(named)
