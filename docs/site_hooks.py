"""Lays the site out as the repository is, so that one relative link works in both.

mkdocs takes pages from one folder. Here they are README.md, docs/ and the projects' READMEs, each under its path in the
repository; and what they link to (pictures, sources) is copied beside them. ``mkdocs build --strict`` then checks every link.
"""

import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parent.parent

_PAGES = ("*.md", "docs/*.md", "docs/template/*.md", "projects/*/README.md")
_LINK = re.compile(r"\]\(([^)#:\s]+)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """The theme's files, and those of the repository in place of those of ``docs_dir``."""
    theirs = [file for file in files if not Path(file.abs_src_path or "").is_relative_to(config.docs_dir)]
    pages = sorted(path for pattern in _PAGES for path in ROOT.glob(pattern))
    linked = sorted({path for page in pages for path in _linked(page)} - set(pages))
    ours = [File.generated(config, path.relative_to(ROOT).as_posix(), abs_src_path=str(path)) for path in [*pages, *linked]]
    return Files([*theirs, *ours])


def _linked(page: Path) -> list[Path]:
    """Files of the repository that a page links to."""
    paths = [(page.parent / link).resolve() for link in _LINK.findall(page.read_text(encoding="utf-8"))]
    return [path for path in paths if path.is_file() and path.is_relative_to(ROOT)]
