"""What argparse does not check of a command line."""

from collections.abc import Sequence

from vreid_common.errors import InputError

__all__ = ["refuse_empty"]


def refuse_empty(argv: Sequence[str], *, pairs_after: str = "--opts") -> None:
    """Refuses an empty argument, which an unset shell variable leaves behind: as a path, "" would be the working directory.

    Args:
        argv: arguments as the shell gave them.
        pairs_after: option that KEY VALUE pairs follow, whose values may be empty.

    Raises:
        InputError: naming the option.
    """
    option = ""
    for argument in argv:
        if argument.startswith("--"):
            option = argument.removesuffix("=")
        if (not argument and option != pairs_after) or (argument.startswith("--") and argument.endswith("=")):
            raise InputError(f"{option or 'An argument'} is empty: is a variable of the shell not set?")
