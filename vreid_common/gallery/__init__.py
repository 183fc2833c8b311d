"""Saved galleries: features on disk with an index, searched, added to and removed from. See docs/search.md."""

from vreid_common.gallery.files import edit_gallery, load_gallery, save_gallery
from vreid_common.gallery.gallery import Gallery
from vreid_common.gallery.index import INDEX_KINDS, Index, Recall, build_index

__all__ = [
    "INDEX_KINDS",
    "Gallery",
    "Index",
    "Recall",
    "build_index",
    "edit_gallery",
    "load_gallery",
    "save_gallery",
]
