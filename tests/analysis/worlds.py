"""Campaigns in which one claim of the paper is planted: true, false, on the border, undecidable.

On the border one part of the claim is just false and all others are clearly true: there a claim
is supported wrongly most often. Undecidable: few runs, much noise, no effect.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pandas as pd
import planted_errors as errors
import planted_shapes as shapes
import pyarrow as pa
from synthetic_store import SyntheticSweep

from analysis.store.conversion import frame_of
from analysis.store.results import Results
from analysis.store.schema import TABLES

KINDS = ("true", "false", "border", "undecidable")


class MemoryResults(Results):
    """Results of sweeps that were never written: as from disk, but for the disk."""

    def __init__(self, sweeps: Sequence[SyntheticSweep]) -> None:
        super().__init__("memory", {})
        self._rows = {name: [row for s in sweeps for row in s.rows[name]] for name in TABLES}

    def table(self, name: str, columns: Sequence[str] | None = None) -> pd.DataFrame:
        table = TABLES[name]
        rows = pa.Table.from_pylist(self._rows[name], schema=table.schema)
        frame = frame_of(rows, table)
        return frame if columns is None else frame[[*table.key, *columns]]


def plant(claim: str, kind: str, rng: errors.Rng) -> list[SyntheticSweep]:
    """Return the sweeps of a world in which a claim is of that kind."""
    return PLANTS[claim](kind, rng)


BOTH = {"lenet5": "lenet5/mnist", "resnet20": "resnet20/cifar10"}
RELATED = ("polyneuron", "polyneuron_r")
STARTS = {
    "relu_like_start_is_stable": errors.relu_like_start_is_stable,
    "random_start_is_unstable": errors.random_start_is_unstable,
}

PLANTS: dict[str, Callable[[str, errors.Rng], list[SyntheticSweep]]] = {
    **{
        f"printed_error_{name}_on_{place}": errors.printed_error(benchmark, name)
        for place, benchmark in BOTH.items()
        for name in errors.FIVE
    },
    **{
        f"improved_or_comparable_{name}_on_{place}": errors.improved_or_comparable(benchmark, name)
        for place, benchmark in BOTH.items()
        for name in RELATED
    },
    "relaxed_best_on_lenet5": errors.best_of("lenet5/mnist", "polyneuron_r", "apl"),
    "swish_best_on_resnet20": errors.best_of("resnet20/cifar10", "swish", "polyneuron_r"),
    "relaxed_best_on_lenet5/unequal": errors.best_of_unequal_scatter,
    **{
        name.format(place=place): world(benchmark)
        for place, benchmark in BOTH.items()
        for name, world in {
            "relaxed_beats_polyneuron_on_{place}": errors.relaxed_beats_polyneuron,
            "even_order_hurts_on_{place}": errors.even_order_hurts,
            "even_order_hurts_on_{place}/divergence": errors.even_order_hurts_by_divergence,
        }.items()
    },
    "no_gain_above_k3": errors.no_gain_over("k", 3),
    "higher_order_costs_more": errors.higher_order_costs_more,
    "no_gain_from_more_points": errors.no_gain_over("s", 3),
    "more_points_are_slower": errors.more_points_are_slower,
    "three_points_of_order_three": errors.three_points_of_order_three,
    "three_points_of_order_three/cheaper": errors.a_cheaper_cell_is_as_good,
    "lambda_prod_no_benefit": errors.lambda_prod_no_benefit,
    "lambda_prod_hinders": errors.lambda_prod_hinders,
    "places_stay_without_lambda_prod": shapes.shifted("lenet5/mnist", RELATED[1:]),
    "lambda_prod_pulls_to_zero": shapes.lambda_prod_pulls_to_zero,
    "lambda_sum_suitable": errors.lambda_sum_suitable,
    "no_penalty_inconsistent": errors.no_penalty_inconsistent,
    "no_penalty_inconsistent/divergence": errors.no_penalty_diverges,
    **{
        f"sensitive_to_high_rates_{name}_on_{place}": errors.sensitive_to_high_rates(
            benchmark, name
        )
        for place, benchmark in BOTH.items()
        for name in ("apl", "polyneuron_r")
    },
    **{
        f"error_rises_faster_with_rate_{name}": errors.error_rises_faster_with_rate(name)
        for name in ("apl", "polyneuron_r")
    },
    "lower_rate_helps": errors.lower_rate_helps,
    **{f"{claim}_{name}": world(name) for claim, world in STARTS.items() for name in RELATED},
    **{
        f"{claim}_on_resnet20_{name}": world(name, BOTH["resnet20"])
        for claim, world in STARTS.items()
        for name in RELATED
    },
    "close_points_grow_tails": shapes.close_points_grow_tails,
    "closer_points_are_more_sensitive": shapes.closer_points_are_more_sensitive,
    "tails_of_polyneuron_are_linear": shapes.tails_of_polyneuron_are_linear,
    "tails_of_relaxed_bend": shapes.tails_of_relaxed_bend,
    "most_change_is_early": shapes.most_change_is_early,
    "places_are_consistent": shapes.shifted("resnet20/cifar10", RELATED),
    "relaxed_computes_less": errors.relaxed_computes_less,
}
