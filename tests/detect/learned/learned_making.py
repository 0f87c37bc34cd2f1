"""Windows as a night leaves them: an ordinary customer's, moved in some features."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd

from detector.features.registry import FEATURES, NAMES
from detector.model import EntityKind, Horizon, Windows
from tests.baseline.baseline_making import benign

NIGHT = date(2026, 11, 13)
ORDINARY = np.median(benign(400), axis=0)
ORDINARY[[NAMES.index(spec.name) for spec in FEATURES if spec.family == "wording"]] = np.nan
# What customers of models of images ask and are told.
CUSTOMER = {
    "input_entropy": 0.848, "query_entropy": 0.953, "label_entropy": 0.926, "duplicate_ratio": 0.0,
    "input_psi_mean": 0.056, "input_psi_max": 0.225, "sliced_wasserstein": 0.204, "off_manifold_ratio": 0.0,
    "noise_likeness": 0.112, "edge_value_ratio": 0.002, "nearest_previous_distance": 0.626,
    "near_duplicate_ratio": 0.082, "single_field_change_ratio": 0.0, "enumeration_ratio": 0.0,
    "step_length_trend": -0.014, "dispersion_trend": -0.02, "collinearity_ratio": 0.0, "antithetic_ratio": 0.0,
    "subresolution_change_ratio": 0.0, "confidence_ascent": 0.106, "confidence_ascent_window": 0.082,
    "confidence_ascent_short": 0.216, "climbing_share": 0.0, "confidence_rise": 0.108, "confidence_record_z": 0.756,
    "record_asymmetry": 1.205, "target_concentration": 0.232, "final_confidence": 0.994, "feedback_alignment": 0.062,
    "accept_reject_asymmetry": 0.013, "kin_ratio": 0.038, "thread_share": 0.0, "thread_ascent": -0.035,
    "thread_rise": 0.0, "parent_rank": 0.513, "parent_rank_asymmetry": 0.016, "offspring_selection": -0.041,
    "offspring_asymmetry": 0.106, "neighbour_label_flip_ratio": 0.136, "low_margin_ratio": 0.015,
    "bracketing_ratio": 0.0, "prada_normality": 0.95, "label_balance": 0.86, "uncertainty_seeking": 0.0,
}  # fmt: skip
# What a (1+1) evolution strategy on an image model leaves.
CLIMB = {
    "confidence_ascent": 0.97, "confidence_ascent_short": 0.95, "climbing_share": 0.7, "confidence_ascent_window": 0.9,
    "confidence_rise": 0.6, "confidence_record_z": 25.0, "record_asymmetry": 18.0, "target_concentration": 1.0,
    "final_confidence": 1.0, "off_manifold_ratio": 1.0, "noise_likeness": 0.5, "near_duplicate_ratio": 0.9,
    "nearest_previous_distance": 0.05, "kin_ratio": 0.9, "thread_share": 0.9, "thread_ascent": 0.95, "thread_rise": 0.5,
    "parent_rank": 0.94, "parent_rank_asymmetry": 0.6, "offspring_selection": 20.0, "offspring_asymmetry": 13.0,
    "label_entropy": 0.2, "label_balance": 0.2, "sliced_wasserstein": 1.5, "input_psi_mean": 1.5, "input_psi_max": 4.0,
    "duplicate_ratio": 0.0, "single_field_change_ratio": 0.0, "enumeration_ratio": 0.0, "query_entropy": 0.6,
}  # fmt: skip


def windows_of(*rows: np.ndarray, queries: int = 500) -> Windows:
    features = pd.DataFrame(np.array(rows), columns=list(NAMES)).drop(columns="query_count")
    names = [f"x{number}" for number in range(len(rows))]
    identity = pd.DataFrame(
        {
            "entity_kind": EntityKind.CLIENT.value, "entity_id": names, "horizon": Horizon.NIGHT.value,
            "query_count": queries, "first_ts": 1, "last_ts": 9, "clients": [(name,) for name in names],
            "target": "7", "segment_first": 3.0, "segment_last": 5.0,
        }
    )  # fmt: skip
    return Windows("m", NIGHT, pd.concat([identity, features], axis=1), "m@1")


def moved(**values: float) -> np.ndarray:
    row = ORDINARY.copy()
    for name, value in values.items():
        row[NAMES.index(name)] = value
    return row
