"""Reading and writing the pipeline's own tables: text stays text, numbers keep 12 digits, bytes never vary."""

from __future__ import annotations

import io
from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from reweigh.dialect import dialect_of

# fmt: off
NUMERIC = frozenset((
    "row", "n", "mean", "sd", "se", "ci_lower", "ci_upper", "ci_level", "median", "q1", "q3", "min", "max",
    "events", "percent", "person_time", "baseline_mean", "baseline_sd", "change_mean", "change_sd", "correlation",
    "icc", "cluster_size", "scale_min", "scale_max", "timepoint_days", "estimate", "p_value", "t", "f", "z", "df",
    "oe", "v", "n_intervention", "n_control", "events_intervention", "events_control", "mean_intervention",
    "sd_intervention", "mean_control", "sd_control", "variance", "estimate_natural", "ci_lower_natural",
    "ci_upper_natural", "level", "k", "participants", "statistic", "tau2", "tau2_ci_lower", "tau2_ci_upper", "tau",
    "i2", "h2", "i2_from_q", "q", "q_df", "q_p_value", "pi_lower", "pi_upper", "pi_lower_natural",
    "pi_upper_natural", "q_between", "q_between_df", "q_between_p_value", "phi", "discordant1", "discordant2",
    "year", "limit", "difference_natural", "alpha", "power", "sides", "size_fixed", "size_by_i2", "size_by_d2",
    "size_by_tau2", "required", "look", "date", "information", "fraction", "upper", "lower", "futility_upper",
    "futility_lower", "alpha_spent", "beta_spent", "adjusted_p_value",
    "first_engine", "second_engine", "difference", "trials", "tau2_between", "tau2_within", "i2_ci_lower",
    "i2_ci_upper", "h2_ci_lower", "h2_ci_upper", "i2_from_q_ci_lower", "i2_from_q_ci_upper", "h2_from_q",
    "h2_from_q_ci_lower", "h2_from_q_ci_upper", "tests_made", "mu_mean", "mu_sd", "mu_median", "mu_mode",
    "mu_lower", "mu_upper", "mu_central_lower", "mu_central_upper", "tau_mean", "tau_sd", "tau_median", "tau_mode",
    "tau_lower", "tau_upper", "tau_central_lower", "tau_central_upper", "new_mean", "new_sd", "new_median",
    "new_mode", "new_lower", "new_upper", "new_central_lower", "new_central_upper", "p_better", "p_important",
    "p_better_new", "p_important_new", "vif", "qm", "qm_df", "qm_p_value", "qe", "qe_df", "qe_p_value", "r2",
    "permutation_p_value",
))
# fmt: on
"""Columns that hold numbers; every other column is text, so that an id such as 007 stays what it is."""


def write_csv(table: pd.DataFrame, path: str | Path) -> None:
    """Write a table: UTF-8, LF, missing as empty, 12 significant digits."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    table.to_csv(path, index=False, lineterminator="\n", float_format="%.12g", encoding="utf-8")


def read_text(content: bytes | str | Path) -> pd.DataFrame:
    """A table that a person typed, as text: no byte-order mark, no blank rows, no spaces around cells.

    `content` is the table itself as bytes, or its path; numbers with decimal commas get points (`reweigh.dialect`).
    Raises ValueError where it is no table.
    """
    dialect = dialect_of(content if isinstance(content, bytes) else Path(content).read_bytes())
    text = io.StringIO(dialect.text)
    table = pd.read_csv(text, sep=dialect.delimiter, dtype=str, keep_default_na=False, index_col=False)
    table = pd.DataFrame({name: table[name].str.strip().map(dialect.number) for name in table})
    return table.loc[(table != "").any(axis=1)].reset_index(drop=True)


def read_texts(paths: Iterable[str], name: str) -> pd.DataFrame | None:
    """The table of this file name among the paths as text, None where a review has none."""
    return next((read_text(path) for path in paths if Path(path).name == name), None)


def read_csv(path: str | Path) -> pd.DataFrame:
    """Read a table that `write_csv` wrote: columns of NUMERIC as floats, the others as text ("" where empty)."""
    table = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8")
    numbers = {c: pd.to_numeric(table[c].where(table[c] != "")) for c in table if c in NUMERIC}
    return table.assign(**numbers)
