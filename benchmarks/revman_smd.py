"""RevMan's SMD to the digit: python benchmarks/revman_smd.py data-rows.csv.gz (data rows of Cochrane reviews).

Prints how many rows of means and SDs carry an SMD, and on how many of them `smd_variance: RevMan` gives RevMan's own
estimate and interval at two decimals. The measure of a row is not named: an SMD row is one whose estimate is g, not MD.
"""

from __future__ import annotations

import sys

import numpy as np
import pandas as pd

from reweigh.effects import measures
from reweigh.effects.conversions import Floats, z_critical

NAMES = ("N", "mean", "SD")


def smd_rows(path: str) -> pd.DataFrame:
    """Rows of means and SDs whose printed estimate is Hedges' g by RevMan's J and not the mean difference."""
    rows = pd.read_csv(path, low_memory=False)
    rows = rows[(rows[[f"{arm} SD" for arm in ("Experimental", "Control")]] > 0).all(axis=1) & rows["Mean"].notna()]
    rows = rows[(rows["CI end"] > rows["CI start"]) & (rows["Experimental N"] + rows["Control N"] > 3)]
    g, _ = measures.smd(*arms(rows), "RevMan")
    difference = rows["Experimental mean"] - rows["Control mean"]
    printed = rows["Mean"].to_numpy()
    return rows[(np.abs(g - printed) < 5e-4) & (np.abs(difference - printed) > 1e-3)]


def arms(rows: pd.DataFrame) -> list[Floats]:
    """Size, mean and SD of both arms, as `measures.smd` takes them."""
    return [rows[f"{arm} {name}"].to_numpy(dtype=float) for arm in ("Experimental", "Control") for name in NAMES]


def agreeing(rows: pd.DataFrame, variance: str) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Rows whose interval, at two decimals, is the printed one."""
    g, vi = measures.smd(*arms(rows), variance)
    half = z_critical() * np.sqrt(vi)
    ours = np.stack([g - half, g + half])
    return (np.round(ours, 2) == np.round(rows[["CI start", "CI end"]].to_numpy().T, 2)).all(axis=0)


def main() -> None:
    """Print the shares as a markdown table."""
    rows = smd_rows(sys.argv[1])
    print(f"| variance | of {len(rows)} SMD rows with RevMan's interval at two decimals |\n|---|---|")
    for variance in ("RevMan", "LS", "UB"):
        same = agreeing(rows, variance)
        print(f"| {variance} | {same.sum()} ({100 * same.mean():.2f}%) |")


if __name__ == "__main__":
    main()
