"""The protocol that a config asks for."""

from __future__ import annotations

from fastreid.config import CfgNode

from vreid_common.config import check_values, get_vreid_cfg
from vreid_common.evaluation.protocols.protocol import Protocol
from vreid_common.registry import PROTOCOL_REGISTRY

__all__ = ["protocol_from_config"]

_FPRS = (1e-4, 1e-3, 1e-2)


def protocol_from_config(cfg: CfgNode) -> Protocol:
    """``cfg.TEST.PROTOCOL`` with its options; a config of plain FastReID without vreid_common's keys will do.

    Raises:
        InputError: there is no such protocol, or an option has a value that it cannot have.
    """
    if "PROTOCOL" not in cfg.TEST:
        plain, cfg = cfg, get_vreid_cfg()
        cfg.TEST.update(plain.TEST)
    check_values(cfg, "TEST")
    test = cfg.TEST
    return PROTOCOL_REGISTRY.get(test.PROTOCOL)(
        test.MAX_RANK,
        test.VIEWS,
        _FPRS if test.ROC.ENABLED else (),
        top_k=test.TOP_K or None,
        normalizer=test.NORMALIZER,
        num_draws=test.NUM_DRAWS,
        seed=test.DRAW_SEED,
    )
