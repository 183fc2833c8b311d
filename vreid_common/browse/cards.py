"""What a search found, as HTML: the query, and its matches with their distances and labels."""

from __future__ import annotations

from vreid_common.browse.session import Answer, Session
from vreid_common.report.html import html_environment
from vreid_common.report.shot import Shot, shot_of
from vreid_common.report.thumbnails import Thumbnails
from vreid_common.structures import UNKNOWN, VIEWS, FeatureSet

__all__ = ["Cards"]

_KEPT = 2000
"""Pictures, of some 10 KB, so that no number of searches fills the memory."""


class Cards:
    """Writes the answers to searches of one gallery.

    Args:
        session: that answers.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._thumbnails = Thumbnails(most=_KEPT)
        self._template = html_environment("vreid_common.browse").get_template("answer.html")

    def answer(self, answer: Answer, title: str) -> str:
        """The query under a title, and its matches; a placeholder stands for an image that cannot be read."""
        gallery, ranking = self._session.gallery, answer.ranking
        matches = [
            (*self._shown(gallery, image), f"{distance:#.4g}", correct)
            for image, distance, correct in zip(ranking.images, ranking.distances, ranking.correct, strict=True)
        ]
        return self._template.render(
            answer=answer,
            title=title,
            query=self._shown(answer.query, 0),
            matches=matches,
            pipeline=self._session.pipelines[ranking.name],
            gallery_size=len(gallery),
            problem="",
        )

    def problem(self, sentence: str) -> str:
        """A sentence in the place of an answer."""
        return self._template.render(problem=sentence)

    def _shown(self, images: FeatureSet, row: int) -> tuple[Shot, tuple[str, ...]]:
        """An image, and its camera, track, view and time, as far as they are known."""
        shot = shot_of(images, row, self._thumbnails)
        view, time = int(images.view_ids[row]), int(images.timestamps[row])
        return shot, (*shot.place, *([VIEWS[view]] if view != UNKNOWN else ()), *([f"time {time}"] if time != UNKNOWN else ()))
