"""Protocols that rank the gallery images as the data set gives them."""

from __future__ import annotations

from vreid_common.errors import InputError
from vreid_common.evaluation.protocols.protocol import Protocol
from vreid_common.evaluation.rules import MatchRule, any_image, other_camera
from vreid_common.registry import PROTOCOL_REGISTRY
from vreid_common.structures import FeatureSet

__all__ = ["SameCameraExcluded", "SameCameraKept", "SameImageExcluded"]


@PROTOCOL_REGISTRY.register()
class SameCameraExcluded(Protocol):
    """The protocol of Market-1501 and of VeRi-776, image to image."""

    title = "image to image, same camera excluded"
    description = "gallery images of the query's own identity and camera are left out of its ranking"

    def label_rule(self, query: FeatureSet, gallery: FeatureSet) -> MatchRule:
        return other_camera(query.camids.numpy(), gallery.camids.numpy())


@PROTOCOL_REGISTRY.register()
class SameCameraKept(Protocol):
    """For data sets without cameras, and for those whose protocol counts every image."""

    title = "image to image, same camera kept"
    description = "every gallery image of the query's identity is a match, from its own camera too"


@PROTOCOL_REGISTRY.register()
class SameImageExcluded(Protocol):
    """PKU-VD's protocol: queries are some of the test images, and none is in its own gallery, even where the lists say so."""

    title = "image to image, the query itself excluded"
    description = "every gallery image of the query's identity is a match but for the query itself, which its file tells"

    def label_rule(self, query: FeatureSet, gallery: FeatureSet) -> MatchRule:
        for side, images in (("query", query), ("gallery", gallery)):
            if not all(images.paths):
                row = images.paths.index("")
                raise InputError(f"{self.title}: the {side} image in row {row} has no path that says which image it is.")
        return any_image  # as no protocol lets the query's own picture count
