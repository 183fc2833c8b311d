"""Serving the page on this machine, with nothing that reaches beyond it. It needs the extra ``demo``."""

from __future__ import annotations

import os
import socket
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path

import gradio as gr
import uvicorn
from fastapi import FastAPI

from vreid_common.browse.connection import MOST_CONNECTIONS, BoundedConnection
from vreid_common.browse.gate import Gate, Limits
from vreid_common.browse.hosts import Hosts
from vreid_common.browse.uploads import Uploads
from vreid_common.errors import InputError

__all__ = ["listening", "page_server"]

_MOST_WAITING = 32
"""Searches that wait for their turn; further ones are told that the page is busy."""


@contextmanager
def listening(host: str, port: int) -> Iterator[socket.socket]:
    """A socket that takes connections on a port, or on any free one for 0.

    Raises:
        InputError: the host is not this machine's, or the port is taken.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        server = socket.create_server((host, port), family=family)
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(
            f"The page cannot be served on {host}, port {port}: {reason}; give another --port or --host."
        ) from error
    with server:
        yield server


@contextmanager
def page_server(
    build: Callable[[], gr.Blocks],
    host: str,
    limits: Limits | None = None,
    connection: type[BoundedConnection] = BoundedConnection,
) -> Iterator[uvicorn.Server]:
    """A server of a page, which ``run(sockets=[...])`` serves until it is interrupted.

    What is uploaded and shown lies in a temporary folder, which is removed at the end.

    Args:
        build: makes the page.
        host: the address or name that it is served on.
        limits: of each request.
        connection: how long and how many connections are kept.
    """
    limits = limits or Limits()
    with tempfile.TemporaryDirectory(prefix="vreid-browse-") as temporary:
        folder = str(Path(temporary).resolve())
        os.environ["GRADIO_TEMP_DIR"] = folder  # read by components when they are made
        page = build()
        # What launch() would set, without which gradio checks no path that a client names, and serves SVG files for the page.
        page.has_launched = page.is_running = True
        page.queue(max_size=_MOST_WAITING)
        app = FastAPI(openapi_url=None)
        theme = gr.themes.Base(primary_hue="blue", font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"])
        style = files("vreid_common.browse").joinpath("templates", "style.css").read_text(encoding="utf-8")
        # As head, since gradio rewrites what it gets as css, and gets rules of its dark mode wrong.
        gr.mount_gradio_app(
            app, page, "/", theme=theme, head=f"<style>{style}</style>", footer_links=[], run_history=False, ssr_mode=False,
            mcp_server=False, enable_monitoring=False, max_file_size=limits.upload,
        )  # fmt: skip
        config = uvicorn.Config(
            Gate(app, Hosts(host), Uploads(folder), limits), http=connection, ws="none", proxy_headers=False,
            limit_concurrency=MOST_CONNECTIONS, log_level="critical",
            # A browser keeps a connection open as long as the page is: the end does not wait for it, nor tells of it.
            timeout_graceful_shutdown=1,
        )  # fmt: skip
        yield uvicorn.Server(config)
