"""The bins of a histogram of scores: 20 steps of 0.05, without a gap and without a doubt."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.queries.answers.bins import BINS, find_bin


@pytest.mark.parametrize("step", range(BINS))
def test_a_score_on_an_edge_is_in_the_bin_that_begins_there(step: int) -> None:
    edge = float(f"{step * 0.05:.2f}")
    assert find_bin(edge) == step
    assert find_bin(step / BINS) == step
    assert step == 0 or find_bin(math.nextafter(edge, 0)) in (step - 1, step)


def test_the_last_bin_holds_one() -> None:
    assert find_bin(1.0) == find_bin(0.95) == BINS - 1


@given(st.floats(0, 1), st.floats(0, 1))
def test_a_higher_score_is_in_no_lower_bin(one: float, other: float) -> None:
    low, high = sorted((one, other))
    assert 0 <= find_bin(low) <= find_bin(high) < BINS
