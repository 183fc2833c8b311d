"""Pictures of what an evaluation found."""

from vreid_common.report.cmc import draw_cmc
from vreid_common.report.curves import read_curve
from vreid_common.report.figures import save_figure

__all__ = ["draw_cmc", "read_curve", "save_figure"]
