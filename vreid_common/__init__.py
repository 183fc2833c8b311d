"""Vehicle re-identification on FastReID: import this package before anything of FastReID, and FastReID runs on today's PyTorch."""

from vreid_common import compat

compat.apply()

__version__ = "0.1.0"
