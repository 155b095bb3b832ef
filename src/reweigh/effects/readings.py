"""Several readings of one datum, held against each other: who read the source, what each says, where they agree."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import combinations

import numpy as np
import pandas as pd

from reweigh.effects.conversions import combine_arms
from reweigh.io import frame
from reweigh.protocol.model import Protocol
from reweigh.tables.reading import read_cells
from reweigh.tables.specs import RESULTS, SPECS

#: Numbers of an arm that are compared, and of a reported contrast.
OF_ARMS = ("n", "events", "percent", "mean", "sd")
OF_CONTRASTS = ("estimate", "se", "ci_lower", "ci_upper", "p_value", "n_intervention", "n_control")


def compare_readings(
    studies: pd.DataFrame,
    arms: pd.DataFrame,
    contrasts: pd.DataFrame,
    protocol: Protocol,
    typed: Mapping[str, pd.DataFrame] | None = None,
) -> pd.DataFrame:
    """readings.csv: a row per number that two readings of a datum give.

    Parameters
    ----------
    studies, arms, contrasts
        The checked tables. Rows of one study with the same `datum` are readings of the same thing.
    protocol
        Its `readings` are compared in their order.
    typed
        arms.csv and contrasts.csv as they were typed (`typed_cells`): each number is known to half a unit of its last
        printed digit. Without them it is taken to be exact.

    Two numbers agree where they differ by no more than their roundings together. Means and SDs are compared in percent
    of their scale where both readings name one (the location of the scale taken off), an SE as the SD that it implies
    (Cochrane Handbook 6.5.2.2), and arms of one side together (table 6.5.2.a). Nothing is raised.
    """
    order = {name: i for i, name in enumerate(protocol.readings)}
    labels = studies.set_index("study_id")["label"]
    rows: list[dict[str, object]] = []
    both = [
        table.assign(file=file).reset_index(drop=True)
        for file, table in (("arms.csv", arms), ("contrasts.csv", contrasts))
    ]
    joined = pd.concat(both, ignore_index=True)
    # An empty cell is missing in the checked tables and an empty text in those that are written.
    joined = joined[joined["datum"].fillna("") != ""] if "datum" in joined else joined.iloc[:0]
    for (study, datum), group in joined.groupby(["study_id", "datum"], sort=False):
        given = group["reading"].fillna("").astype(str)
        names = sorted(dict.fromkeys(given), key=lambda one: (order.get(one, len(order)), one))
        reason = "; ".join(filter(None, dict.fromkeys(group["datum_reason"].dropna().astype(str))))
        said = {name: dict(_numbers(group[given == name], typed or {})) for name in names}
        for one, other in combinations(names, 2):
            identity = {"study_id": study, "label": labels.get(study, study), "datum": datum}
            identity |= {"reading": one, "other_reading": other, "reason": reason}
            pair: list[dict[str, object]] = [
                {"side": what[0], "quantity": what[1], **_compared(number, said[other][what])}
                for what, number in said[one].items() if what in said[other]
            ]  # fmt: skip
            places = [", ".join(_places(group[given == name])) for name in (one, other)]
            pair = pair or [{"side": "", "quantity": "", "agrees": ""}]
            rows += [identity | {"rows": places[0], "other_rows": places[1]} | found for found in pair]
    return frame("readings.csv", rows)


def _places(rows: pd.DataFrame) -> Iterator[str]:
    return (f"{file}:{row}" for file, row in zip(rows["file"], rows["row"], strict=True))


def _compared(one: tuple[float, float], other: tuple[float, float]) -> dict[str, object]:
    """Both values, and whether they differ by no more than their roundings."""
    tolerance = one[1] + other[1]
    near = abs(one[0] - other[0]) <= tolerance + 1e-9 * max(1.0, abs(one[0]))
    return {"value": one[0], "other_value": other[0], "tolerance": tolerance, "agrees": "yes" if near else "no"}


def _numbers(
    rows: pd.DataFrame, typed: Mapping[str, pd.DataFrame]
) -> Iterator[tuple[tuple[str, str], tuple[float, float]]]:
    """Numbers of one reading by side and quantity, each with half a unit of its last digit."""
    arms = rows[rows["file"] == "arms.csv"]
    for side in ("intervention", "control"):
        mine = arms[arms["role"] == side] if len(arms) else arms
        if len(mine):
            yield from (((side, name), number) for name, number in _of_side(mine, typed))
    for _, row in rows[rows["file"] == "contrasts.csv"].iterrows():
        kind = str(row["measure"])
        for name in OF_CONTRASTS:
            if pd.notna(row.get(name)) and kind != "p_only":
                yield (kind, name), (float(row[name]), _half(row, name, typed))


def _of_side(rows: pd.DataFrame, typed: Mapping[str, pd.DataFrame]) -> Iterator[tuple[str, tuple[float, float]]]:
    """What the arms of one side say together."""

    def of(name: str) -> np.ndarray:
        return pd.to_numeric(rows.get(name, pd.Series(np.nan, index=rows.index))).to_numpy(dtype=np.float64)

    def half(name: str) -> np.ndarray:
        return np.array([_half(row, name, typed) for _, row in rows.iterrows()])

    n, events, percent = of("n"), of("events"), of("percent")
    if not np.isnan(n).any():
        yield "n", (float(n.sum()), 0.0)
    if not np.isnan(events).any():
        yield "events", (float(events.sum()), 0.0)
    if not np.isnan(events + n).any():
        yield "percent", (float(100 * events.sum() / n.sum()), 0.0)
    elif len(rows) == 1 and not np.isnan(percent).any():
        yield "percent", (float(percent[0]), float(half("percent")[0]))
    mean, sd, low, high = of("mean"), of("sd"), of("scale_min"), of("scale_max")
    if not np.isnan(of("change_mean")).any():
        mean, sd = of("change_mean"), of("change_sd")
        low = np.where(np.isnan(low), low, 0.0)  # a change has no location on the scale
        high = high - of("scale_min")
        mean_half, sd_half = half("change_mean"), half("change_sd")
    else:
        root = np.sqrt(n)
        mean_half = half("mean")
        sd_half = np.where(np.isnan(sd), half("se") * root, half("sd"))
        sd = np.where(np.isnan(sd), of("se") * root, sd)
    scaled = not np.isnan(low + high).any()
    factor = 100 / (high - low) if scaled else np.ones(len(rows))
    mean = (mean - low) * factor if scaled else mean
    if np.isnan(mean).any():
        return
    if len(rows) == 1:
        yield "mean", (float(mean[0]), float((mean_half * factor)[0]))
        if not np.isnan(sd).any():
            yield "sd", (float((sd * factor)[0]), float((sd_half * factor)[0]))
    elif not np.isnan(n + sd).any():
        _, pooled, spread = combine_arms(n, mean, sd * factor)
        yield "mean", (float(pooled), float((mean_half * factor).max()))
        yield "sd", (float(spread), float((sd_half * factor).max()))


def _half(row: pd.Series, name: str, typed: Mapping[str, pd.DataFrame]) -> float:
    """Half a unit of the last digit that was typed."""
    table, at = typed.get(str(row["file"])), int(row["row"])
    if table is None or name not in table or at not in table.index:
        return 0.0
    text = str(table.loc[at, name]).strip()
    return 0.5 * 10.0 ** -len(text.partition(".")[2]) if text else 0.0


def typed_cells(files: Mapping[str, bytes]) -> dict[str, pd.DataFrame]:
    """arms.csv and contrasts.csv as text, with the spreadsheet's row numbers as their index."""
    both = ((name, read_cells(files[name], name, SPECS[name])[0]) for name in RESULTS if name in files)
    return {name: cells.frame for name, cells in both if cells is not None}


def agreement(readings: pd.DataFrame) -> tuple[int, int, int]:
    """Data that several people read, their numbers that were compared, and those that agree."""
    compared = readings[readings["agrees"] != ""]
    data = len(readings[["study_id", "datum"]].drop_duplicates())
    return data, len(compared), int((compared["agrees"] == "yes").sum())
