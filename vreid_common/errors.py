"""The one exception that a user is meant to read."""


class InputError(ValueError):
    """Something given to the program is wrong. Its message is one sentence that names the file, key or row and what to do.

    Commands print the message and end with status 2; nothing else of the traceback is shown.
    """
