"""The outermost guard of every program: whatever happens, its user reads one sentence and its caller gets a status.

It knows nothing but the standard library, as it is there before anything else is imported.
"""

from __future__ import annotations

import argparse
import errno
import logging
import os
import select
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

from vreid_common.errors import InputError, RunError, print_error
from vreid_common.files import WriteError, reason_of

__all__ = [
    "Ending",
    "add_debug_argument",
    "end",
    "ending_of",
    "guard",
    "keep_traceback_in",
    "let_go_of_closed_streams",
    "start_quietly",
]

logger = logging.getLogger(__name__)

DEBUG_VARIABLE = "VREID_DEBUG"
"""Set to anything, it does what --debug does; worker processes and the trainings of a study inherit it."""

_LONGEST = 400  # characters of a message that somebody else wrote
_PIPE_STATUS = 141  # what a shell reports of a program that SIGPIPE has ended
_PROGRAMS = ("vreid", "train_net.py", "-m")  # -m: `python -m vreid_common`, while it looks for the package

_file: Path | None = None


class Ending(NamedTuple):
    """How a program ends: its status, the sentence that it says ("" for none), and whether the sentence says it all."""

    status: int
    sentence: str
    expected: bool = True


@contextmanager
def guard() -> Iterator[None]:
    """Runs a program's work; an exception ends the process with a sentence on stderr and the status that belongs to it.

    2: the input is wrong. 1: something failed. 130: interrupted. 141: who reads the output has gone, as ``head`` does.

    Raises:
        SystemExit: in place of any other exception.
    """
    try:
        yield
        sys.stdout.flush()  # here, where it may fail, and not after the last line of the program
    except SystemExit:
        with suppress(OSError):
            sys.stdout.flush()
        let_go_of_closed_streams()
        raise
    except BaseException as error:
        raise SystemExit(end(error)) from None


def end(error: BaseException, place: int | None = None) -> int:
    """Says how the program ends because of ``error``, keeps the traceback where that is of use, and returns the status.

    Args:
        error: what was raised.
        place: as for ``print_error``.
    """
    ending = ending_of(error)
    let_go_of_closed_streams()
    sentence = " ".join([ending.sentence, *getattr(error, "__notes__", ())]) if ending.sentence else ""
    if sentence and os.environ.get(DEBUG_VARIABLE):
        traceback.print_exception(error)
    elif sentence and not ending.expected:
        sentence = f"{sentence} The traceback is in {_keep_traceback(error)}, and --debug prints it."
    if sentence:
        logger.debug("error: %s", sentence)
        print_error(sentence, place)
    return ending.status


def ending_of(error: BaseException) -> Ending:
    """What ``error`` means to the user of a program."""
    if isinstance(error, KeyboardInterrupt):
        return Ending(130, "")
    if isinstance(error, InputError):
        return Ending(2, str(error))
    if isinstance(error, RunError | WriteError | FloatingPointError):
        return Ending(1, str(error))
    if isinstance(error, BrokenPipeError) and any(map(_is_closed, (sys.stdout, sys.stderr))):
        return Ending(_PIPE_STATUS, "")
    if isinstance(error, RuntimeError) and str(error).startswith("DataLoader worker"):
        # torch raises it wherever the main process is when the worker's end is noticed.
        return Ending(1, f"A process that read images has ended, perhaps for want of memory: {_first_line(error)}")
    if _is_of_memory(error):
        return Ending(1, _of_memory(error))
    if isinstance(error, OSError):
        if error.filename is not None:
            return Ending(1, f"{os.fsdecode(error.filename)}: {reason_of(error, error.filename)}.")
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EMFILE, errno.EIO):
            place = _file.parent if _file else Path.cwd()
            return Ending(1, f"A file cannot be read or written, in {place} perhaps: {reason_of(error, place)}.")
    return Ending(1, f"Unexpected {type(error).__name__}: {_first_line(error)}", expected=False)


def add_debug_argument(parser: argparse.ArgumentParser) -> None:
    """Declares ``--debug`` for the parser, or for each of its actions where it has some."""
    actions = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    for action in actions[0].choices.values() if actions else ():
        add_debug_argument(action)
    if not actions:
        parser.add_argument(
            "--debug",
            action=DebugAction,
            nargs=0,
            default=argparse.SUPPRESS,
            help="print the traceback of whatever ends the command",
        )


class DebugAction(argparse.Action):
    """Sets ``DEBUG_VARIABLE``: what the command starts hears of it too."""

    def __call__(self, *_: object) -> None:
        os.environ[DEBUG_VARIABLE] = "1"


def keep_traceback_in(file: Path | None) -> None:
    """Names the file for the traceback of what nobody expected; None is a new one among the system's temporary files."""
    global _file  # as the log's files, it belongs to the process
    _file = file


def start_quietly() -> None:
    """Lets Ctrl-C end a program of this package without a traceback while it still imports; ``guard`` comes later."""
    if sys.argv and Path(sys.argv[0]).name in _PROGRAMS and sys.excepthook is sys.__excepthook__:
        sys.excepthook = _show_all_but_interrupts


def _show_all_but_interrupts(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if not issubclass(kind, KeyboardInterrupt):  # after which Python ends with the signal's own status
        sys.__excepthook__(kind, error, trace)


def _keep_traceback(error: BaseException) -> str:
    text = f"{time.strftime('%Y-%m-%d %H:%M:%S')} {' '.join(sys.argv)}\n\n{''.join(traceback.format_exception(error))}"
    if _file is not None:
        with suppress(OSError):
            _file.write_text(text, encoding="utf-8")
            return str(_file)
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", prefix="vreid-traceback-", suffix=".txt", delete=False) as file:
        file.write(text)
    return file.name


def _is_of_memory(error: BaseException) -> bool:
    """True for Python's and NumPy's MemoryError, the system's ENOMEM, and what torch raises in their place."""
    if isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno == errno.ENOMEM):
        return True
    out_of_memory = getattr(sys.modules.get("torch"), "OutOfMemoryError", ())
    return isinstance(error, out_of_memory) or (isinstance(error, RuntimeError) and "can't allocate memory" in str(error))


def _of_memory(error: BaseException) -> str:
    where = "GPU" if "CUDA" in str(error) else "machine"
    detail = f" ({_first_line(error).rstrip('.')})" if str(error) else ""
    return (
        f"The memory of the {where} is not enough{detail}: use smaller batches (SOLVER.IMS_PER_BATCH, TEST.IMS_PER_BATCH) or "
        "images, or fewer processes and workers."
    )


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines() or ["it has no message."]
    line = lines[0][:_LONGEST].strip()
    return line if line.endswith((".", "!", "?")) else f"{line}."


def _is_closed(stream: object) -> bool:
    """Whether nobody reads what is written into a pipe any more."""
    try:
        poll = select.poll()
        poll.register(stream.fileno(), 0)
        return any(event & select.POLLERR for _, event in poll.poll(0))
    except (AttributeError, OSError, ValueError):  # no file, as in tests
        return False


def let_go_of_closed_streams() -> None:
    """Sends what is still to be written to nobody's pipe to nowhere; Python would complain about it at the very end."""
    for stream in (sys.stdout, sys.stderr):
        if _is_closed(stream):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, stream.fileno())
            os.close(nowhere)
