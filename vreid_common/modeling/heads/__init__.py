"""Heads that any project's config may name, beside FastReID's."""

from vreid_common.modeling.heads.bn_dropout import BNDropoutHead
from vreid_common.modeling.heads.combined_margin import CombinedMargin, margin_cosine

__all__ = ["BNDropoutHead", "CombinedMargin", "margin_cosine"]
