"""What a run says: a few lines to the terminal, everything to OUTPUT_DIR/log.txt."""

import logging
import platform
import sys
from contextlib import suppress
from pathlib import Path

import torch
from fastreid.config import CfgNode
from fastreid.utils import comm
from tqdm import tqdm

from vreid_common.errors import InputError
from vreid_common.files import reason_of
from vreid_common.guard import keep_traceback_in, let_go_of_closed_streams

__all__ = ["say_how_it_was_started", "set_up_logging", "take_down_logging"]

logger = logging.getLogger(__name__)


class _ConsoleHandler(logging.Handler):
    """Prints log lines above a progress bar instead of through it."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            tqdm.write(self.format(record), file=sys.stdout)
            sys.stdout.flush()
        except BrokenPipeError:  # `| head`, or a `| tee` that was ended: no reason to end a training
            let_go_of_closed_streams()


class _LogFile(logging.FileHandler):
    """Leaves what cannot be written to the work to notice; logging would print a traceback for every line."""

    def handleError(self, record: logging.LogRecord) -> None:
        if not isinstance(sys.exc_info()[1], OSError):
            super().handleError(record)

    def close(self) -> None:
        with suppress(OSError):
            super().close()


def set_up_logging(output_dir: str) -> None:
    """INFO to the console (main process), everything to OUTPUT_DIR/log.txt (log.txt.rank1, ... in the other processes).

    Called again, as for the next stage of a command, it takes the place of what it set up before.

    Raises:
        InputError: OUTPUT_DIR cannot be made or written to.
    """
    take_down_logging()
    handlers: list[logging.Handler] = []
    if comm.is_main_process():
        handlers.append(_ConsoleHandler(logging.INFO))
        handlers[0].setFormatter(logging.Formatter("[%(asctime)s] %(message)s", datefmt="%H:%M:%S"))
    if output_dir:
        suffix = "" if comm.is_main_process() else f".rank{comm.get_rank()}"
        try:
            Path(output_dir).mkdir(parents=True, exist_ok=True)
            handlers.append(_LogFile(Path(output_dir) / f"log.txt{suffix}"))
            keep_traceback_in(Path(output_dir) / f"traceback.txt{suffix}")
        except OSError as error:
            reason = reason_of(error, output_dir)
            raise InputError(
                f"OUTPUT_DIR {output_dir} cannot be written to: {error.filename or output_dir}: {reason}."
            ) from error
        handlers[-1].setFormatter(logging.Formatter("%(asctime)s %(name)s %(levelname)s: %(message)s"))
    root = logging.getLogger()
    for handler in handlers:
        handler._vreid = True
        root.addHandler(handler)
    root.setLevel(logging.INFO)
    for name in ("vreid_common", "fastreid"):
        logging.getLogger(name).setLevel(logging.DEBUG)
        logging.getLogger(name).handlers.clear()


def take_down_logging() -> None:
    """Closes and removes what ``set_up_logging`` set up, and nothing else."""
    keep_traceback_in(None)
    root = logging.getLogger()
    for handler in list(root.handlers):
        if getattr(handler, "_vreid", False):
            root.removeHandler(handler)
            handler.close()


def say_how_it_was_started(cfg: CfgNode) -> None:
    """Logs the versions, and into the file the command and the whole configuration."""
    if comm.is_main_process():
        logger.debug("Command: %s", " ".join(sys.argv))
        logger.debug("Configuration:\n%s", cfg)
        cuda = torch.version.cuda if torch.cuda.is_available() else "none"
        logger.info("Python %s, torch %s, CUDA %s.", platform.python_version(), torch.__version__, cuda)
