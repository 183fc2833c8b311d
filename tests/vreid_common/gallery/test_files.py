"""Galleries on disk: what is written is read back, changes are whole, damage is named, nothing is copied into memory."""

import json
import re
from pathlib import Path

import pytest
import torch

from vreid_common.errors import InputError
from vreid_common.gallery import INDEX_KINDS, Gallery, edit_gallery, load_gallery, save_gallery
from vreid_common.gallery import files as gallery_files
from vreid_common.structures import FeatureSet


def names(folder: Path) -> list[str]:
    """The files of a gallery, marks taken out."""
    return sorted(re.sub(r"-[0-9a-f]{12}", "", path.name) for path in folder.iterdir() if not path.name.startswith("."))


@pytest.mark.parametrize("kind", INDEX_KINDS)
@pytest.mark.parametrize("mapped", [True, False])
def test_feature_saved_and_read(kind, mapped, draw, tmp_path):
    gallery = Gallery.build(draw(300), "euclidean", kind, 0.9, {"checkpoint": "abc"})
    save_gallery(gallery, tmp_path / "g")
    found = load_gallery(tmp_path / "g", mapped=mapped)
    assert torch.equal(found.images.features, gallery.images.features)
    assert found.images.paths == gallery.images.paths
    assert (found.metric, found.wanted_recall, found.model) == ("euclidean", 0.9, {"checkpoint": "abc"})
    for name in ("kind", "metric", "effort", "trained_on", "recall"):
        assert getattr(found.index, name, None) == getattr(gallery.index, name, None)
    query = draw(10, seed=1)
    for ours, theirs in zip(found.search(query, 5), gallery.search(query, 5), strict=True):
        assert torch.equal(ours, theirs)


def anonymous_memory() -> int:
    """Bytes of this process that are not pages of a file."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return 1024 * int(re.search(r"RssAnon:\s+(\d+) kB", status)[1])


@pytest.mark.parametrize("kind", ["exact", "ivf", "hnsw"])
def test_feature_a_gallery_is_mapped_not_read(kind, draw, tmp_path):
    images = draw(2000, dim=1024)  # 8 MB
    save_gallery(Gallery.build(images, "cosine", "exact"), tmp_path / "g")
    if kind != "exact":  # the index with as little work as there can be
        edit_gallery(tmp_path / "g", lambda gallery: Gallery.build(gallery.images, "cosine", kind, 0.01))
    size = images.features.nbytes
    load_gallery(tmp_path / "g")
    before = anonymous_memory()
    gallery = load_gallery(tmp_path / "g")
    grown = anonymous_memory() - before
    assert len(gallery.images) == 2000
    assert grown < size / 2


def test_feature_a_change_replaces_all_files(draw, tmp_path):
    folder = tmp_path / "g"
    save_gallery(Gallery.build(draw(60), "cosine", "hnsw"), folder)
    assert names(folder) == ["features.json", "features.safetensors", "gallery.json", "index.faiss"]
    before = {path.name for path in folder.glob("*-*")}
    changed = edit_gallery(folder, lambda gallery: gallery.added(draw(5, seed=1, name="h")))
    assert len(changed.images) == len(load_gallery(folder).images) == 65
    assert names(folder) == ["features.json", "features.safetensors", "gallery.json", "index.faiss"]
    assert before.isdisjoint(path.name for path in folder.iterdir())
    save_gallery(Gallery.build(draw(4)), folder)
    assert names(folder) == ["features.json", "features.safetensors", "gallery.json"]


@pytest.mark.parametrize("fails_at", ["write_json", "_write_index"])
def test_feature_a_change_that_breaks_off_leaves_the_gallery_as_it_was(fails_at, draw, tmp_path, monkeypatch):
    folder = tmp_path / "g"
    save_gallery(Gallery.build(draw(60), "cosine", "ivf"), folder)

    def fail(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(gallery_files, fails_at, fail)
    with pytest.raises(KeyboardInterrupt):
        edit_gallery(folder, lambda gallery: gallery.removed(["g/3.jpg"]))
    monkeypatch.undo()
    assert len(load_gallery(folder).images) == 60
    edit_gallery(folder, lambda gallery: gallery.removed(["g/3.jpg"]))  # takes away what the broken one left
    assert names(folder) == ["features.json", "features.safetensors", "gallery.json", "index.faiss"]


class TestBadInput:
    @pytest.fixture
    def folder(self, draw, tmp_path) -> Path:
        save_gallery(Gallery.build(draw(60), "cosine", "ivf"), tmp_path / "g")
        return tmp_path / "g"

    def test_no_gallery(self, tmp_path, draw):
        with pytest.raises(InputError, match="is no gallery: it has no gallery.json; vreid gallery build makes one."):
            load_gallery(tmp_path / "none")
        (tmp_path / "mine").mkdir()
        draw(2).save(tmp_path / "mine" / "features-veri_query")
        with pytest.raises(InputError, match="holds files but no gallery.json"):
            save_gallery(Gallery.build(draw(2)), tmp_path / "mine")
        with pytest.raises(InputError, match="is no gallery"):
            edit_gallery(tmp_path / "mine", lambda gallery: gallery)
        assert len(list((tmp_path / "mine").iterdir())) == 2

    def test_files_of_others_stay_in_a_gallery_s_folder(self, folder, draw):
        draw(2).save(folder / "features-veri_query")
        edit_gallery(folder, lambda gallery: gallery.removed(["g/1.jpg"]))
        assert len(FeatureSet.load(folder / "features-veri_query")) == 2

    def test_an_index_that_was_changed_is_never_given_to_faiss(self, folder, monkeypatch):
        index = next(folder.glob("index-*.faiss"))
        content = bytearray(index.read_bytes())
        content[-1] ^= 1
        index.write_bytes(content)
        monkeypatch.setattr(gallery_files.faiss, "read_index", None)
        with pytest.raises(InputError, match="is missing or damaged: build the gallery again"):
            load_gallery(folder)
        index.unlink()
        with pytest.raises(InputError, match="is missing or damaged"):
            load_gallery(folder)

    @pytest.mark.parametrize(
        "change",
        [
            {"format": "vreid-gallery-9"},
            {"metric": "manhattan"},
            {"features": "../elsewhere"},
            {"index": {"file": "../x.faiss", "kind": "ivf"}},
            {"index": {"file": "x.faiss", "kind": "pq"}},
            {"index": {"kind": "ivf"}},
            {"features": 3},
        ],
        ids=lambda change: next(iter(change)),
    )
    def test_a_damaged_record(self, change, folder):
        record = json.loads((folder / "gallery.json").read_text())
        del record["sha256"]  # which a stranger can compute
        (folder / "gallery.json").write_text(json.dumps({**record, **change}))
        with pytest.raises(InputError, match="gallery.json is damaged, or no gallery's"):
            load_gallery(folder)

    def test_one_changed_digit_of_the_record(self, folder):
        record = (folder / "gallery.json").read_text()
        (folder / "gallery.json").write_text(record.replace('"wanted_recall": 0.9', '"wanted_recall": 0.8'))
        assert record != (folder / "gallery.json").read_text()
        with pytest.raises(InputError, match=r"gallery\.json is damaged"):
            load_gallery(folder)

    def test_a_flipped_bit_of_a_feature(self, folder):
        (file,) = folder.glob("features-*.safetensors")
        content = bytearray(file.read_bytes())
        content[-200] ^= 1
        file.write_bytes(content)
        with pytest.raises(InputError, match=r"is damaged \(its digest is another\)"):
            load_gallery(folder)

    def test_features_of_another_gallery(self, folder, draw):
        features = next(folder.glob("features-*.json")).with_suffix("")
        draw(7).save(features)
        with pytest.raises(InputError, match="is not of the gallery that"):
            load_gallery(folder)

    def test_two_changes_at_a_time(self, folder):
        def change(gallery):
            with pytest.raises(InputError, match="Another process is changing the gallery"):
                edit_gallery(folder, lambda other: other)
            return gallery

        edit_gallery(folder, change)

    def test_a_folder_that_cannot_be_made(self, tmp_path, draw):
        (tmp_path / "taken").write_text("")
        with pytest.raises(InputError, match="The gallery .* cannot be written"):
            save_gallery(Gallery.build(draw(2)), tmp_path / "taken" / "g")
