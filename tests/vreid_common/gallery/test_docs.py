"""The Python in docs/search.md runs as it stands."""

import re
from pathlib import Path

PAGE = (Path(__file__).parents[3] / "docs" / "search.md").read_text(encoding="utf-8")


def test_the_example_runs(draw, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    images, more, query = draw(300), draw(20, seed=1, name="h"), draw(4, seed=2)
    (example,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    given = {"features": images.features, "pids": images.pids, "paths": images.paths, "more": more, "query": query}
    exec(compile(example, "search.md", "exec"), given)
    assert len(given["gallery"].images) == 317
    assert given["gallery"].index.recall.value >= 0.95
    assert given["indices"].shape == (4, 10)
