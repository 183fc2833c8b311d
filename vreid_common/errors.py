"""The exceptions that a user is meant to read."""

import os
import sys
import time

__all__ = ["InputError", "RunError", "print_error"]


class InputError(ValueError):
    """Something given to the program is wrong. Its message is one sentence that names the file, key or row and what to do.

    Commands print the message and end with status 2; nothing else of the traceback is shown.
    """


class RunError(RuntimeError):
    """The input is right, but something that the work needs has failed, such as a process. Its message is one sentence.

    Commands print the message and end with status 1; nothing else of the traceback is shown.
    """


def print_error(error: Exception | str, place: int | None = None) -> None:
    """Prints ``error: <sentence>`` to stderr; of several processes that meet the same error, one does.

    What started the processes ends them when one has left. So each waits a second for every one before it, and only what the
    first ones do not meet is said by a later one.

    Args:
        error: what is wrong.
        place: this process's number among those of its machine; None takes torchrun's, 0 where there is none.
    """
    time.sleep(int(os.environ.get("LOCAL_RANK", 0)) if place is None else place)
    print(f"error: {error}", file=sys.stderr, flush=True)
