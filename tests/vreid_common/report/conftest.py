"""A small test set with its images, and plain average precision."""

from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vreid_common.structures import FeatureSet


@pytest.fixture
def make_set(tmp_path: Path) -> Callable[..., FeatureSet]:
    """A function (name, number of images, seed): noisy features of 5 vehicles in 4 cameras, with an image file each."""

    def make(name: str, size: int, seed: int, *, images: bool = True, noise: float = 1.0) -> FeatureSet:
        rng = np.random.default_rng(seed)
        pids = np.arange(size) % 5
        features = np.random.default_rng(9).normal(size=(5, 6))[pids] + noise * rng.normal(size=(size, 6))
        paths = [str(tmp_path / f"{name}{number}.jpg") for number in range(size)]
        for number, (path, pid) in enumerate(zip(paths, pids.tolist(), strict=True) if images else ()):
            picture = Image.new("RGB", (30 + pid, 20), (40 * pid, 90, 150))
            picture.save(path, comment=f"{name}{number}")  # no image is a copy of another one
        camids, views = rng.integers(0, 4, size), rng.integers(0, 3, size)
        return FeatureSet.create(features, pids, camids, pids * 10 + camids, views, paths)

    return make


@pytest.fixture
def sets(make_set: Callable[..., FeatureSet]) -> tuple[FeatureSet, FeatureSet]:
    return make_set("q", 12, 0), make_set("g", 60, 1)


@pytest.fixture
def plain_ap() -> Callable[[np.ndarray, np.ndarray, np.ndarray], float]:
    """Average precision of one query from its distances, which images are matches and which are junk; NaN without a match."""

    def ap(distances: np.ndarray, matches: np.ndarray, junk: np.ndarray) -> float:
        precisions, hits, rank = [], 0, 0
        for image in sorted(range(len(distances)), key=lambda image: (distances[image], image)):
            if junk[image]:
                continue
            rank += 1
            if matches[image]:
                hits += 1
                precisions.append(hits / rank)
        return float(np.mean(precisions)) if precisions else float("nan")

    return ap


class PageReader(HTMLParser):
    """Reads a page into elements: (tag, attributes, text within), and checks that it is whole and needs nothing else."""

    _VOID = ("meta", "img", "link", "br", "input", "hr", "wbr")

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None], list[str]]] = []
        self._open: list[int] = []
        self.feed(html)
        self.close()
        assert not self._open, "every element is closed"
        self._check()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len(dict(attrs)) == len(attrs), f"{tag} has an attribute twice"
        self.elements.append((tag, dict(attrs), []))
        if tag not in self._VOID:
            self._open.append(len(self.elements) - 1)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs), []))

    def handle_endtag(self, tag: str) -> None:
        assert self.elements[self._open.pop()][0] == tag

    def handle_data(self, data: str) -> None:
        for place in self._open:
            self.elements[place][2].append(data)

    def all(self, tag: str, **attributes: str) -> list[tuple[dict[str, str | None], str]]:
        """Attributes and text of the elements of a tag; ``class_="a"`` asks for a class among others."""
        wanted_class = attributes.pop("class_", None)
        return [
            (found, " ".join("".join(text).split()))
            for name, found, text in self.elements
            if name == tag
            and all(found.get(key) == value for key, value in attributes.items())
            and (wanted_class is None or wanted_class in (found.get("class") or "").split())
        ]

    def text(self, tag: str, **attributes: str) -> str:
        (found,) = self.all(tag, **attributes)
        return found[1]

    def _check(self) -> None:
        ids = [found["id"] for _, found, _ in self.elements if "id" in found]
        assert len(set(ids)) == len(ids)
        for tag, found, _ in self.elements:
            assert tag not in ("script", "link", "iframe", "object")
            assert not any(key.startswith("on") for key in found)
            for key in ("src", "href", "xlink:href"):
                value = found.get(key)
                assert value is None or value.startswith(("data:image/jpeg;base64,", "#"))
                assert value is None or not value.startswith("#") or value[1:] in ids, value
            assert tag != "img" or found.get("alt")
        assert "url(" not in self.text("style")
        assert "@import" not in self.text("style")


@pytest.fixture
def read_page() -> type[PageReader]:
    return PageReader
