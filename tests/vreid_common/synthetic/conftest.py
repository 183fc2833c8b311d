"""A small rendered street, shared by the tests of this folder."""

from pathlib import Path

import pytest

from vreid_common.synthetic import SIZES, Domain, Scene, write_scene


@pytest.fixture(scope="session")
def tiny_scene() -> Scene:
    return Scene(SIZES["tiny"], Domain.STREET, 0)


@pytest.fixture(scope="session")
def tiny_veri(tiny_scene: Scene, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny street in VeRi-776's layout, where ``VeRi776`` and FastReID's own ``VeRi`` find it."""
    folder = tmp_path_factory.mktemp("rendered") / "veri"
    write_scene(tiny_scene, folder, "veri")
    return folder
