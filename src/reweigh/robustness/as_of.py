"""What was known in a year: the trials published up to then."""

from __future__ import annotations

import pandas as pd

from reweigh.tables.times import years_of


def as_of(studies: pd.DataFrame, year: int, column: str = "year") -> tuple[pd.DataFrame, pd.DataFrame]:
    """Studies (or effects) up to and including a year, and those left out with the reason.

    Works on any table with `study_id` and the ``column`` of years. The second table has study_id, year and reason;
    an undated trial is left out, since nobody can say whether it was known.
    """
    years = years_of(studies, column)
    keep = years <= year
    left = studies.loc[~keep, ["study_id"]].assign(year=years[~keep])
    left["reason"] = [
        "no year: left out of every analysis as of a year" if pd.isna(y) else f"published after {year}"
        for y in left["year"]
    ]
    order = ["year", "study_id"]
    return studies[keep], left.drop_duplicates().sort_values(order, kind="stable", ignore_index=True)


def restrict(
    studies: pd.DataFrame, arms: pd.DataFrame, contrasts: pd.DataFrame, year: int
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """The checked tables as of a year, and the trials left out: studies, arms, contrasts, left out."""
    known, left = as_of(studies, year)
    ids = set(known["study_id"])
    return known, arms[arms["study_id"].isin(ids)], contrasts[contrasts["study_id"].isin(ids)], left
