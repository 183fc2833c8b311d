"""Serving the page on this machine, with nothing that reaches beyond it. It needs the extra ``demo``."""

from __future__ import annotations

import os
import socket
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.resources import files

import gradio as gr
import uvicorn
from fastapi import FastAPI
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from vreid_common.errors import InputError

__all__ = ["listening", "page_server"]

_POLICY = "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:"
"""Whatever gradio's page may ask for, the browser fetches it from this server or not at all."""

_LARGEST_UPLOAD = "64mb"


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
def page_server(build: Callable[[], gr.Blocks]) -> Iterator[uvicorn.Server]:
    """A server of a page, which ``run(sockets=[...])`` serves until it is interrupted.

    What is uploaded and shown lies in a temporary folder, which is removed at the end.
    """
    with tempfile.TemporaryDirectory(prefix="vreid-browse-") as folder:
        os.environ["GRADIO_TEMP_DIR"] = folder  # read by components when they are made
        app = FastAPI(openapi_url=None)
        theme = gr.themes.Base(primary_hue="blue", font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"])
        style = files("vreid_common.browse").joinpath("templates", "style.css").read_text(encoding="utf-8")
        # As head, since gradio rewrites what it gets as css, and gets rules of its dark mode wrong.
        gr.mount_gradio_app(
            app, build(), "/", theme=theme, head=f"<style>{style}</style>", footer_links=[], run_history=False, ssr_mode=False,
            mcp_server=False, enable_monitoring=False, max_file_size=_LARGEST_UPLOAD,
        )  # fmt: skip
        # A browser keeps a connection open as long as the page is: the end does not wait for it, nor tells of it.
        yield uvicorn.Server(uvicorn.Config(_kept_here(app), log_level="critical", timeout_graceful_shutdown=1))


def _kept_here(app: ASGIApp) -> ASGIApp:
    async def wrapped(scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_policy(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), (b"content-security-policy", _POLICY.encode())]
            await send(message)

        await app(scope, receive, send_with_policy)

    return wrapped
