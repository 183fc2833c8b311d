"""The printed table."""

from vreid_common.evaluation import metrics_table


def test_columns_in_the_order_of_the_rows_and_gaps_where_a_row_has_no_value():
    table = metrics_table({"main": {"mAP": 71.234, "Rank-1": 90.0}, "fused": {"mAP": 72.0, "CSC": 0.01234}}, corner="feature")
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]
    assert lines[0] == ["feature", "mAP", "Rank-1", "CSC"]
    assert lines[2] == ["main", "71.23", "90.00", ""]
    assert lines[3] == ["fused", "72.00", "", "0.0123"]


def test_chosen_columns():
    assert "Rank-1" not in metrics_table({"main": {"mAP": 1.0, "Rank-1": 2.0}}, ["mAP"])
