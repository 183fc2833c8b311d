"""Every key of the protocol reaches it, and what it cannot have is refused by name."""

import pytest
from fastreid.config import get_cfg

from vreid_common.config import get_vreid_cfg
from vreid_common.errors import InputError
from vreid_common.evaluation.protocols import OneQueryImage, SameCameraExcluded, protocol_from_config


def config(*options):
    cfg = get_vreid_cfg()
    cfg.merge_from_list(list(options))
    return cfg


def test_all_keys():
    protocol = protocol_from_config(
        config(
            "TEST.PROTOCOL", "OneQueryImage", "TEST.MAX_RANK", 7, "TEST.VIEWS", False, "TEST.ROC.ENABLED", True,
            "TEST.TOP_K", 100, "TEST.NORMALIZER", "hits", "TEST.NUM_DRAWS", 4, "TEST.DRAW_SEED", 9,
        )
    )  # fmt: skip
    assert type(protocol) is OneQueryImage
    assert (protocol.max_rank, protocol.views, protocol.top_k, protocol.normalizer) == (7, False, 100, "hits")
    assert (protocol.num_draws, protocol.seed) == (4, 9)
    assert len(protocol.fprs) == 3


def test_a_config_of_plain_fastreid():
    protocol = protocol_from_config(get_cfg())
    assert type(protocol) is SameCameraExcluded
    assert (protocol.top_k, protocol.normalizer, protocol.num_draws, protocol.seed) == (None, "all", 10, 0)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("PROTOCOL", "VehicleID", "TEST.PROTOCOL is 'VehicleID': use one of AICitySubmission, "),
        ("MAX_RANK", 0, "TEST.MAX_RANK is 0: use 1 to"),
        ("TOP_K", -1, "TEST.TOP_K is -1: use 0 or more"),
        ("NUM_DRAWS", 0, "TEST.NUM_DRAWS is 0: use 1 to"),
        ("DRAW_SEED", -3, "TEST.DRAW_SEED is -3: use 0 or more"),
        ("NORMALIZER", "max", "TEST.NORMALIZER is 'max': use all, min or hits"),
    ],
)
def test_refused(key, value, message):
    with pytest.raises(InputError, match=message):
        protocol_from_config(config(f"TEST.{key}", value))
