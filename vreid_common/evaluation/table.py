"""One table for several features (or runs) and their metrics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tabulate import tabulate

__all__ = ["metrics_table"]


def metrics_table(rows: Mapping[str, Mapping[str, float]], metrics: Sequence[str] | None = None, corner: str = "") -> str:
    """A Markdown table with a row for each name in ``rows`` and a column for each metric.

    Args:
        rows: name → metric → value, printed as it is: percentages where the metrics are percentages.
        metrics: the columns; None takes every metric in the order in which the rows name them.
        corner: head of the first column.
    """
    columns = list(dict.fromkeys(key for row in rows.values() for key in row)) if metrics is None else list(metrics)
    body = [[name, *(_format(row[key]) if key in row else "" for key in columns)] for name, row in rows.items()]
    align = ("left", *("right",) * len(columns))
    return tabulate(body, headers=[corner, *columns], tablefmt="github", colalign=align, disable_numparse=True)


def _format(value: float) -> str:
    """Two decimals, as percentages are printed; small values that are none (a class separability, say) keep three digits."""
    return f"{value:.2f}" if abs(value) >= 1 or value == 0 else f"{value:.3g}"
