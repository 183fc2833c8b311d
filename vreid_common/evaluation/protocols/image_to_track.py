"""VeRi-776's protocol in which the gallery is ranked by track."""

from __future__ import annotations

from vreid_common.evaluation.pairs import IdentityPairs
from vreid_common.evaluation.protocols.protocol import Entries, Labels, Protocol, own_pictures
from vreid_common.evaluation.rules import MatchRule, all_of, other_camera
from vreid_common.evaluation.tracks import TrackRows, group_tracks
from vreid_common.registry import PROTOCOL_REGISTRY
from vreid_common.structures import FeatureSet

__all__ = ["ImageToTrack"]


@PROTOCOL_REGISTRY.register()
class ImageToTrack(Protocol):
    """VeRi-776's second protocol: a query image is ranked against gallery tracks, each as far as its nearest image."""

    title = "image to track, same camera excluded"
    description = (
        "the gallery is ranked by track, a track as near as its nearest image; tracks of the query's own identity and camera "
        "are left out of its ranking"
    )

    def label_rule(self, query: FeatureSet, gallery: FeatureSet) -> MatchRule:
        """Of images; tracks count by the same rule."""
        return other_camera(query.camids.numpy(), gallery.camids.numpy())

    def entries(self, query: FeatureSet, gallery: FeatureSet) -> Entries:
        """Query images and gallery tracks."""
        tracks, copies = group_tracks(gallery), own_pictures(query, gallery)
        asked, stored = Labels.of(query), Labels(tracks.pids, tracks.camids, tracks.view_ids)
        own = copies.of_pairs(IdentityPairs(asked.pids, gallery.pids.numpy()).of(0, len(query)))
        rule = all_of(other_camera(asked.camids, stored.camids), tracks.with_another_image(own))
        return Entries(
            asked, stored, rule, copies, rows=lambda distance: TrackRows(distance, tracks.of_image, len(tracks.pids), own)
        )
