"""Vehicle re-identification on FastReID. Imported before FastReID, it makes FastReID run right on today's PyTorch."""

from vreid_common import guard

guard.start_quietly()

from vreid_common import compat  # noqa: E402 - it imports for seconds

compat.apply()

__version__ = "0.1.0"
