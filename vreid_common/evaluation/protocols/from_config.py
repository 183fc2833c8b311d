"""The protocol that a config asks for."""

from __future__ import annotations

from fastreid.config import CfgNode

from vreid_common.config import get_vreid_cfg
from vreid_common.errors import InputError
from vreid_common.evaluation.protocols.protocol import Protocol
from vreid_common.registry import PROTOCOL_REGISTRY

__all__ = ["protocol_from_config"]

_FPRS = (1e-4, 1e-3, 1e-2)


def protocol_from_config(cfg: CfgNode) -> Protocol:
    """``cfg.TEST.PROTOCOL`` with its options; a config of plain FastReID without vreid_common's keys will do.

    Raises:
        InputError: there is no such protocol, or an option has a value that it cannot have.
    """
    test = get_vreid_cfg().TEST
    test.update(cfg.TEST)
    if test.PROTOCOL not in PROTOCOL_REGISTRY.names:
        raise InputError(f"TEST.PROTOCOL is {test.PROTOCOL!r}: use one of {', '.join(PROTOCOL_REGISTRY.names)}.")
    for key, least in (("MAX_RANK", 1), ("TOP_K", 0), ("NUM_DRAWS", 1), ("DRAW_SEED", 0)):
        if test[key] < least:
            raise InputError(f"TEST.{key} is {test[key]}: use {least} or more.")
    if test.NORMALIZER not in ("all", "min", "hits"):
        raise InputError(f"TEST.NORMALIZER is {test.NORMALIZER!r}: use all, min or hits.")
    return PROTOCOL_REGISTRY.get(test.PROTOCOL)(
        test.MAX_RANK,
        test.VIEWS,
        _FPRS if test.ROC.ENABLED else (),
        top_k=test.TOP_K or None,
        normalizer=test.NORMALIZER,
        num_draws=test.NUM_DRAWS,
        seed=test.DRAW_SEED,
    )
