"""Compiled functions."""

import numba

from vreid_common.jit import compiled


def test_without_a_folder_for_compiled_code(monkeypatch):
    """Numba refuses to cache where nothing can be written: then every process compiles anew."""
    njit = numba.njit

    def strict(function, cache=False, **options):
        if cache:
            raise RuntimeError("cannot cache function: no locator available")
        return njit(function, **options)

    monkeypatch.setattr(numba, "njit", strict)
    assert compiled()(lambda x: x + 1)(1) == 2
