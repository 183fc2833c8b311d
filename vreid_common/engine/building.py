"""Building the model that a configuration names, with a sentence where FastReID fails."""

from __future__ import annotations

import gdown
from fastreid.config import CfgNode
from fastreid.modeling import build_model
from torch import nn

from vreid_common.errors import InputError

__all__ = ["build_or_explain"]


def build_or_explain(cfg: CfgNode) -> nn.Module:
    """FastReID's ``build_model``.

    Raises:
        InputError: the backbone has no such MODEL.BACKBONE.DEPTH, or its ImageNet weights cannot be fetched.
    """
    try:
        return build_model(cfg)
    except KeyError as error:
        # FastReID's backbones look their sizes up by it, each in tables of its own.
        if error.args != (cfg.MODEL.BACKBONE.DEPTH,):
            raise
        raise InputError(f"MODEL.BACKBONE.DEPTH {error} is not one of {cfg.MODEL.BACKBONE.NAME}'s.") from error
    except (OSError, gdown.exceptions.FileURLRetrievalError) as error:
        if not cfg.MODEL.BACKBONE.PRETRAIN:
            raise
        backbone = cfg.MODEL.BACKBONE
        raise InputError(
            f"The ImageNet weights of {backbone.NAME} {backbone.DEPTH} are not to be had ({type(error).__name__}: "
            f"{str(error).splitlines()[0][:200]}): fetch them elsewhere and name the file in "
            "MODEL.BACKBONE.PRETRAIN_PATH, or set MODEL.BACKBONE.PRETRAIN False to train from scratch."
        ) from error
