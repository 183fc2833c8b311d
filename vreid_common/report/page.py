"""The report as one HTML file that needs nothing else: style, charts and pictures are in it, and it has no script."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from os import PathLike
from pathlib import Path

import numpy as np

from vreid_common.files import write_atomically
from vreid_common.report.activation_pairs import ActivationPair
from vreid_common.report.analysis import Analysis
from vreid_common.report.charts import COLOURS, Chart, Scatter, cmc_chart, histogram_chart, scatter_chart
from vreid_common.report.html import breakable, html_environment
from vreid_common.report.shot import shot_of
from vreid_common.report.terms import terms_of
from vreid_common.report.thumbnails import Thumbnails
from vreid_common.structures import VIEWS
from vreid_common.versions import package_versions

__all__ = ["Page", "now", "render_page", "write_page"]


@dataclass(frozen=True)
class Page:
    """What a report shows.

    Attributes:
        title: its head line.
        analysis: the numbers.
        settings: what they depend on, name → value.
        configs: models' configurations, name → text.
        activations: activation maps, if any.
        terms: what features and metrics of the model's own are, by name.
        written: the time that the page bears. All else is the same for the same input.
    """

    title: str
    analysis: Analysis
    written: str
    settings: Mapping[str, str]
    configs: Mapping[str, str]
    activations: Sequence[ActivationPair] = ()
    terms: Mapping[str, str] = field(default_factory=dict)


def now() -> str:
    """The time for ``Page.written``."""
    return datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")


def write_page(page: Page, path: str | PathLike[str]) -> int:
    """Writes the page, under a temporary name first; returns its size in bytes."""
    content = render_page(page).encode(errors="replace")  # names of files may be no Unicode
    write_atomically(Path(path), lambda temporary: temporary.write_bytes(content))
    return len(content)


def render_page(page: Page) -> str:
    """The HTML text. Images that cannot be read have placeholders, and one line says how many they are."""
    analysis = page.analysis
    thumbnails = Thumbnails()
    sides = {"query": analysis.query, "gallery": analysis.gallery}
    environment = html_environment("vreid_common.report")
    environment.filters |= {"percent": lambda share: f"{100 * share:.2f}", "distance": lambda value: f"{value:#.4g}"}
    environment.filters["breakable"] = breakable
    environment.tests["missing"] = np.isnan
    return environment.get_template("report.html").render(
        page=page,
        analysis=analysis,
        main=analysis.rankings[0],
        columns=_columns(analysis),
        terms=_terms(page),
        flat=list(dict.fromkeys(name for pair in page.activations for name in pair.flat)),
        cmc=_cmc(analysis),
        histograms=_histograms(analysis),
        scatters=_scatters(analysis),
        colours=COLOURS,
        view=VIEWS.__getitem__,
        camera=lambda number: analysis.query.names.of("camids", number),
        names=analysis.query.names,
        versions=package_versions(),
        extent=_extent(analysis),
        zip=zip,
        thumbnails=thumbnails,
        shot=lambda side, row: shot_of(sides[side], row, thumbnails),
    )


def _extent(analysis: Analysis) -> str:
    """What of a protocol's evaluation lists and tables show, where that is not all."""
    found = analysis.rankings[0].found
    if found is not None and found.num_draws > 1:
        return f" This and all below is of the first of the {found.num_draws} draws."
    if found is not None and found.num_gallery != len(analysis.gallery):
        return " This and all below is of the gallery ranked image by image, by the same rule."
    return ""


def _terms(page: Page) -> dict[str, str]:
    """What the names of the table mean: of its columns, and of the model's own features that rankings are called after."""
    columns = _columns(page.analysis)
    names = {ranking.name.partition(",")[0] for ranking in page.analysis.rankings} | set(columns)
    return {name: meaning for name, meaning in page.terms.items() if name in names} | terms_of(columns)


def _columns(analysis: Analysis) -> list[str]:
    """Metrics that any ranking has; ``metric`` only serves FastReID to choose a checkpoint."""
    names = dict.fromkeys(name for one in analysis.rankings if one.found for name in one.found.metrics)
    return [name for name in names if name != "metric"]


def _cmc(analysis: Analysis) -> Chart | None:
    curves = {one.name: one.found.ranking.cmc for one in analysis.rankings if one.found and one.found.ranking}
    return cmc_chart(curves) if curves else None


def _histograms(analysis: Analysis) -> list[tuple[str, Chart]]:
    same, different = ("same vehicle", "different vehicles") if analysis.labelled else ("", "all pairs")
    return [
        (one.name, histogram_chart(one.survey.edges, {same: one.survey.positives, different: one.survey.negatives}))
        for one in analysis.rankings
    ]


def _scatters(analysis: Analysis) -> list[Scatter]:
    """By vehicle and by camera, where any is known; without either, the points alone."""
    if analysis.layout is None:
        return []
    sides, rows = (analysis.query, analysis.gallery), analysis.layout.rows
    names = analysis.query.names
    vehicles, cameras = (
        [names.of(label, number) for number in np.concatenate([getattr(side, label).numpy() for side in sides])[rows].tolist()]
        for label in ("pids", "camids")
    )
    split = int(np.searchsorted(rows, len(analysis.query)))
    titles = [
        ", ".join(
            [f"{word} {name}" for word, name in (("vehicle", vehicle), ("camera", camera)) if name is not None]
            + ["query" if place < split else "gallery"]
        )
        for place, (vehicle, camera) in enumerate(zip(vehicles, cameras, strict=True))
    ]
    known = {title: labels for title, labels in (("vehicle", vehicles), ("camera", cameras)) if any(labels)}
    return [
        scatter_chart(title, analysis.layout.points, [name or "" for name in labels], titles)
        for title, labels in (known or {"vehicle": vehicles}).items()
    ]
