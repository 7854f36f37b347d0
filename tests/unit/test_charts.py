"""Charts: round numbers on their grid, and places in a box of 600 by 100."""

from __future__ import annotations

import pytest

from ecshop.web.console.charts import Chart, filled


@pytest.mark.parametrize(
    ("most", "values"),
    [(0, [0, 1, 2, 3]), (3, [0, 1, 2, 3]), (4, [0, 2, 4, 6]), (51, [0, 20, 40, 60]), (1500.5, [0, 1000, 2000, 3000])],
)
def test_a_grid_has_round_numbers_up_to_what_is_drawn(most: float, values: list[int]) -> None:
    chart = Chart.of(most, 148)
    assert [line.value for line in chart.lines] == values
    assert (chart.lines[-1].y, chart.lines[0].y) == (8, 130)


def test_bars_stand_side_by_side_and_reach_as_high_as_their_number() -> None:
    bars = Chart.of(30, 148).bars([0, 15, 30])
    assert [(bar.y, bar.height) for bar in bars] == [(100, 0), (50, 50), (0, 100)]
    assert bars[0].x + bars[0].width < bars[1].x
    assert bars[2].x + bars[2].width < 600


def test_a_curve_leaves_out_what_is_not_known() -> None:
    assert Chart.of(3, 148).curve([None, None, None, 0.0, 1.5]) == "M450.0 100.0L600.0 50.0"


def test_a_number_that_stands_alone_is_drawn_as_long_as_a_step_inside_the_box() -> None:
    chart = Chart.of(3, 148)
    assert chart.curve([3.0, None, 1.5, None, 0.0]) == "M0 0.0h150.0M225.0 50.0h150.0M450.0 100.0h150.0"
    assert chart.area([None, None, 1.5, None, None]) == "M225.0 50.0h150.0V100H225.0z"
    assert chart.curve([1.5]) == "M0 50.0h600.0"


def test_stairs_keep_a_number_until_the_next_one_and_are_filled_to_the_ground() -> None:
    path = Chart.of(30, 148).stairs([(0.0, 30), (0.5, 15)])
    assert path == "M0.0 0.0H300.0V50.0H600"
    assert filled(path) == "M0.0 0.0H300.0V50.0H600V100H0.0z"
