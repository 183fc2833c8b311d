"""``vreid browse``: a gallery searched in the browser."""

from __future__ import annotations

import argparse
import signal
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from vreid_common.browse.session import Session
from vreid_common.engine.commands.gallery_model import names_a_model, read_gallery_extraction
from vreid_common.engine.commands.search import CANDIDATES
from vreid_common.engine.extraction import Extraction, add_extraction_arguments, read_extraction
from vreid_common.engine.placement import share_cores
from vreid_common.errors import InputError
from vreid_common.evaluation.commands.inputs import Inputs, add_file_arguments, positive, read_device, read_inputs
from vreid_common.evaluation.commands.pipelines import PLAIN, add_pipeline_arguments, read_pipelines
from vreid_common.extras import require_extra
from vreid_common.gallery import Gallery, load_gallery
from vreid_common.reranking.pipeline import Pipeline, compared_pipelines, pipeline_from_config
from vreid_common.structures import METRICS, UNKNOWN, FeatureSet, VehicleImage, read_features

__all__ = ["add_browse_arguments", "run_browse"]


def add_browse_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments of ``vreid browse``."""
    parser.add_argument(
        "saved", nargs="?", metavar="GALLERY", help="folder that `vreid gallery build` made, in place of --gallery"
    )
    files = add_file_arguments(parser, required=False)
    files.add_argument(
        "--metric", choices=METRICS, help="what compares features (default: cosine; a saved gallery has its own)"
    )
    steps = add_pipeline_arguments(parser, required=False)
    steps.add_argument(
        "--candidates", type=positive, metavar="N",
        help=f"rank each query alone and re-rank its N nearest images only (default: all; {CANDIDATES} of a saved gallery)",
    )  # fmt: skip
    add_extraction_arguments(parser)
    page = parser.add_argument_group("page")
    page.add_argument(
        "--host", default="127.0.0.1", metavar="ADDRESS",
        help="where the page is served; any other address lets other machines see it (default: %(default)s)",
    )  # fmt: skip
    page.add_argument("--port", type=int, default=7860, metavar="N", help="0 takes any free one (default: %(default)s)")
    page.add_argument("--title", default="", metavar="TEXT", help="its head line (default: the gallery's name)")


def run_browse(args: argparse.Namespace) -> int:
    """Serves the page until it is interrupted; returns 0.

    Raises:
        InputError: an argument, a file or a model is not as it must be, or the extra ``demo`` is not installed.
    """
    _check_together(args)
    require_extra("demo", "Pages in the browser", "gradio", "uvicorn")
    from vreid_common.browse.page import build_page  # these need the extra
    from vreid_common.browse.server import listening, page_server

    share_cores(1)
    with listening(args.host, args.port) as socket:
        session, no_upload = _read_session(args)
        title = args.title or Path(args.saved or args.gallery).name
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # else it would leave the uploads behind
        # Interrupted is how it is meant to end.
        with page_server(lambda: build_page(session, title, no_upload), args.host) as server, suppress(KeyboardInterrupt):
            host, port = socket.getsockname()[:2]
            print(f"http://{f'[{host}]' if ':' in host else host}:{port}  (Ctrl-C ends)", flush=True)
            server.run(sockets=[socket])
    return 0


def _check_together(args: argparse.Namespace) -> None:
    if bool(args.saved) == bool(args.gallery):
        raise InputError("Name what is searched: the folder of a saved gallery, or features by --gallery.")
    if args.saved:
        for name in ("labels", "metric", "further"):
            if getattr(args, name):
                raise InputError(f"--{name} goes with --gallery: a saved gallery is searched as it is.")
    if not args.query and (args.labels or args.further):
        raise InputError(f"--{'labels' if args.labels else 'further'} goes with --query.")
    if args.candidates and args.further:
        raise InputError("--candidates ranks each query alone, which has no --further features: leave one out.")


def _read_session(args: argparse.Namespace) -> tuple[Session, str]:
    """What searches, and why pictures cannot be searched for, if they cannot."""
    saved = load_gallery(args.saved, indexed=False) if args.saved else None
    extraction, no_upload = _read_extraction(args, saved)
    metric = saved.metric if saved else args.metric or "cosine"
    settled = argparse.Namespace(**{**vars(args), "metric": metric, "device": args.device or "cpu"})
    pipelines = read_pipelines(settled, {PLAIN: Pipeline(metric=metric), **_config_pipelines(extraction, metric)})
    inputs = _read_images(settled, saved)
    candidates = args.candidates or (CANDIDATES if saved else None)
    embed = _embedder(extraction) if extraction else None
    query = inputs.query if args.query else None
    return Session(inputs.gallery, pipelines, query, further=inputs.further, candidates=candidates, embed=embed), no_upload


def _read_extraction(args: argparse.Namespace, saved: Gallery | None) -> tuple[Extraction | None, str]:
    """How a picture's feature is made; or None and why it is not known."""
    if saved is None:
        if not names_a_model(args):
            return None, "Start vreid browse with the model of the features: --config-file and --weights, or --onnx."
        return read_extraction(args), ""
    try:
        return read_gallery_extraction(args, saved.model), ""
    except InputError as error:
        if names_a_model(args):
            raise
        return None, str(error)


def _config_pipelines(extraction: Extraction | None, metric: str) -> dict[str, Pipeline]:
    """The re-rankings of the model's configuration: its own, and those that it compares."""
    if extraction is None:
        return {}
    cfg = extraction.cfg.clone()
    cfg.TEST.METRIC = metric
    own = pipeline_from_config(cfg)
    return ({str(own): own} if own.steps else {}) | compared_pipelines(cfg)


def _read_images(args: argparse.Namespace, saved: Gallery | None) -> Inputs:
    """Queries and gallery; without --query the gallery is in their place."""
    if saved is None and args.query:
        return read_inputs(args)
    gallery = (saved.images if saved else read_features(args.gallery)).to(read_device(args.device))
    return Inputs(read_features(args.query).to(gallery.features.device) if args.query else gallery, gallery, {})


def _embedder(extraction: Extraction) -> Callable[[str], FeatureSet]:
    alone = replace(extraction, workers=0)  # a process to read one picture would take longer than the reading
    extractor = alone.extractor(progress=False)

    def embed(path: str) -> FeatureSet:
        found = extractor.extract(alone.dataset([VehicleImage(path, UNKNOWN, UNKNOWN)]))
        assert found is not None, "there is one process"
        return found

    return embed
