"""The Python in docs/search.md runs as it stands."""


def test_the_example_runs(run_examples, draw, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    images, more, query = draw(300), draw(20, seed=1, name="h"), draw(4, seed=2)
    given = {"features": images.features, "pids": images.pids, "paths": images.paths, "more": more, "query": query}
    given = run_examples("docs/search.md", **given)
    assert len(given["gallery"].images) == 317
    assert given["gallery"].index.recall.value >= 0.95
    assert given["indices"].shape == (4, 10)
