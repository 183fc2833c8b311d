"""Configurations with every declared key: FastReID's and vreid_common's, and each project's."""

import importlib
from collections.abc import Callable

import pytest
from fastreid.config import CfgNode

import vreid_common.engine  # noqa: F401 - fills the registries that keys take their names from
from vreid_common.config import get_vreid_cfg


@pytest.fixture(params=["", "cybercore", "dex", "dsam", "ealn", "wcvl"])
def add_config(request) -> Callable[[CfgNode], CfgNode] | None:
    """``add_<project>_config`` of every project; None for vreid_common's own keys."""
    project = request.param
    return getattr(importlib.import_module(project), f"add_{project}_config") if project else None


@pytest.fixture
def defaults(add_config) -> CfgNode:
    """All keys of vreid_common and of one project."""
    return add_config(get_vreid_cfg()) if add_config else get_vreid_cfg()
