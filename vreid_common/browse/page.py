"""The page: controls to pick a query, to filter and to re-rank, and what is found. It needs the extra ``demo``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from typing import Any

import gradio as gr

from vreid_common.browse.cards import Cards
from vreid_common.browse.filters import Choices, Filter
from vreid_common.browse.session import Answer, Session, Settings
from vreid_common.browse.shelf import shelf_of
from vreid_common.errors import InputError
from vreid_common.structures import UNKNOWN, VIEWS

__all__ = ["build_page"]

_MOST_MATCHES = 100
_SHOW_ANSWER = """() => {
  const answer = document.querySelector("#answer")
  if (answer.getBoundingClientRect().top > innerHeight / 2) answer.scrollIntoView({ behavior: "smooth" })
}"""
"""On a phone the answer stands far below what asks for it."""

_NO_TIMES = (0, 1)
"""Ends of sliders that are not seen."""


@dataclass(frozen=True)
class _Controls:
    """What a search takes, in the order of ``_search``'s arguments."""

    row: gr.Number
    upload: gr.File
    pipeline: gr.Radio
    cameras: gr.Dropdown
    views: gr.CheckboxGroup
    since: gr.Slider
    until: gr.Slider
    own_camera: gr.Checkbox
    top: gr.Slider

    @property
    def inputs(self) -> list[Any]:
        return list(vars(self).values())

    @property
    def settings(self) -> list[Any]:
        return self.inputs[2:]


def build_page(session: Session, title: str, no_upload: str = "") -> gr.Blocks:
    """The page of a session.

    Its functions can be called by gradio's client as well: ``/shelf`` (text, page), and ``/search`` with the row of a query or
    a picture, which comes first, and the settings.

    Args:
        session: what searches.
        title: the page's head line.
        no_upload: why pictures cannot be searched for, in one sentence; "" where they can.
    """
    choices = Choices.of(session.gallery)
    # Nothing of a search is sent anywhere: without this gradio reports each start of the page to its makers.
    with gr.Blocks(title=f"{title} · vreid browse", analytics_enabled=False, fill_width=True) as page:
        gr.HTML(_head(session, title), padding=False)
        with gr.Row():
            with gr.Column(scale=2, min_width=320):
                row, upload, connect = _query_controls(session, no_upload)
                controls = _Controls(row, upload, **_setting_controls(session, choices))
            with gr.Column(scale=5, min_width=320):
                answer = gr.HTML(elem_id="answer", padding=False)
        search = {"fn": _searcher(session, choices), "inputs": controls.inputs, "outputs": answer, "show_progress_on": answer}
        page.load(**search, api_name="search")
        connect(search)
        changes = [one.release if isinstance(one, gr.Slider) else one.change for one in controls.settings]
        gr.on(changes, **search, api_visibility="private", trigger_mode="always_last")
    return page


def _head(session: Session, title: str) -> str:
    counts = [(len(session.gallery), "images")]
    for labels, name in ((session.gallery.pids, "vehicles"), (session.gallery.camids, "cameras")):
        counts.append((len(labels[labels != UNKNOWN].unique()), name))
    line = ", ".join(f"{count:,} {name if count != 1 else name.removesuffix('s')}" for count, name in counts if count)
    return f'<div class="vreid-head"><h1>{escape(title)}</h1><p>{line}</p></div>'


def _query_controls(session: Session, no_upload: str) -> tuple[gr.Number, gr.File, Callable[[dict[str, Any]], None]]:
    """Row and picture to search for, and a function that has them searched for once they change."""
    row = gr.Number(0, visible=False, precision=0)
    with gr.Tabs():
        with gr.Tab("Pick a query"):
            text = gr.Textbox(label="Find", placeholder="vehicle, or part of a file's name", max_lines=1)
            rows = gr.State(())
            shelf = gr.Gallery(
                columns=4, height="auto", object_fit="cover", allow_preview=False, show_label=False, interactive=False,
                buttons=[], elem_id="shelf",
            )  # fmt: skip
            with gr.Row(elem_classes="vreid-pages"):
                back = gr.Button("‹ Back", size="sm", min_width=50)
                where = gr.HTML(min_width=100, padding=False)
                on = gr.Button("On ›", size="sm", min_width=50)
            number = gr.Number(1, visible=False, precision=0)
        with gr.Tab("Upload a picture"):
            if no_upload:
                gr.HTML(f"<p>Pictures of your own cannot be searched for. {escape(no_upload)}</p>")
            upload = gr.File(label="Picture", file_types=["image"], height=170, visible=not no_upload)

    def show(text: str, page: int) -> tuple[Any, ...]:
        found = shelf_of(session, text, page)
        line = f"{found.page} of {found.pages}" if found.found else "none found"
        pictures = gr.Gallery(list(found.pictures), selected_index=None)
        return pictures, list(found.rows), line, found.page

    shown = [shelf, rows, where, number]
    turn = {"outputs": shown, "show_progress": "hidden", "api_visibility": "private"}
    gr.on([gr.context.Context.root_block.load], show, [text, number], shown, api_name="shelf", show_progress="hidden")
    text.change(lambda text: show(text, 1), text, **turn, trigger_mode="always_last")
    back.click(lambda text, page: show(text, page - 1), [text, number], **turn)
    on.click(lambda text, page: show(text, page + 1), [text, number], **turn)

    def connect(search: dict[str, Any]) -> None:
        picked = shelf.select(_picked, rows, [row, upload], api_visibility="private", show_progress="hidden")
        for asked in (picked.then(**search, api_visibility="private"), upload.upload(**search, api_visibility="private")):
            asked.then(js=_SHOW_ANSWER)
        upload.clear(**search, api_visibility="private")

    return row, upload, connect


def _picked(rows: list[int], event: gr.SelectData) -> tuple[int, None]:
    return rows[event.index], None


def _setting_controls(session: Session, choices: Choices) -> dict[str, Any]:
    """Controls of what can be set; those for which the images have no labels are there, and not seen."""
    names = list(session.pipelines)
    first, last = choices.times or _NO_TIMES
    pipeline = gr.Radio(names, value=names[0], label="Re-ranking", visible=len(names) > 1)
    names = {camera: session.gallery.names.of("camids", camera) for camera in choices.cameras}
    cameras = [("unknown" if name is None else f"camera {name}", camera) for camera, name in names.items()]
    views = [("unknown" if view == UNKNOWN else VIEWS[view], view) for view in choices.views]
    with gr.Group():
        controls = {
            "pipeline": pipeline,
            "cameras": gr.Dropdown(
                cameras, value=[], multiselect=True, label="Cameras", info="none chosen: all", visible=bool(cameras)
            ),
            "views": gr.CheckboxGroup(views, value=[], label="Views", info="none chosen: all", visible=bool(views)),
        }
        for name, label, value in (("since", "From time", first), ("until", "To time", last)):
            controls[name] = gr.Slider(first, last, value=value, step=1, label=label, visible=choices.times is not None)
        controls["own_camera"] = gr.Checkbox(
            label="Also the vehicle's images from the query's own camera", visible=bool(choices.cameras)
        )
        controls["top"] = gr.Slider(5, _MOST_MATCHES, value=20, step=5, label="Matches")
    return controls


def _searcher(session: Session, choices: Choices) -> Callable[..., str]:
    cards = Cards(session)
    first, last = choices.times or _NO_TIMES

    def search(
        row: int | None,
        picture: str | None,
        pipeline: str,
        cameras: list[int],
        views: list[int],
        since: int,
        until: int,
        own_camera: bool,
        top: int,
    ) -> str:
        among = Filter(
            frozenset(cameras),
            frozenset(views),
            None if since <= first else since,  # with the whole range images of unknown time are searched too
            None if until >= last else until,
        )
        settings = Settings(pipeline, among, min(top, _MOST_MATCHES), own_camera)
        try:
            return cards.answer(*_found(session, row, picture, settings))
        except InputError as error:
            return cards.problem(str(error))

    return search


def _found(session: Session, row: int | None, picture: str | None, settings: Settings) -> tuple[Answer, str]:
    if picture:
        return session.ask(picture, settings), "Your picture"
    row = int(row or 0)
    name = "Gallery image" if session.query is None else "Query"
    return session.pick(row, settings), f"{name} {row + 1:,} of {len(session.pool):,}"
