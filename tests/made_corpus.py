"""A made-up corpus: data rows of Cochrane reviews with RevMan's results, by its formulas in plain numpy.

The statistical algorithms of RevMan 5 (Deeks and Higgins 2010) for risk ratios and odds ratios (Mantel-Haenszel, common
effect), mean differences (inverse variance, common effect or DerSimonian-Laird) and standardised ones; nothing of the
library is used. Study names hold what a spreadsheet, HTML or YAML might take for something else.
"""

from __future__ import annotations

import io

import numpy as np
import pandas as pd

COLUMNS = (
    "Review", "Review doi", "Analysis group", "Analysis number", "Analysis name", "Subgroup", "Subgroup number",
    "Applicability", "Study", "Study year", "GIV Mean", "GIV SE", "Experimental mean", "Experimental SD",
    "Experimental cases", "Experimental N", "Control mean", "Control SD", "Control cases", "Control N", "O-E",
    "Variance", "Weight", "Mean", "CI start", "CI end",
)  # fmt: skip
KINDS = ("RR", "OR", "MD common", "MD random", "SMD random")
BAD = "CD900099"
Z = 1.959963984540054
NAMES = ("O'Neil", 'the "first" trial', "=1+1", "Müller & Søn", "<b>bold</b>", "No", "Smith", "Jones", "- dash", "李")


def data_rows(reviews: int = 30, seed: int = 1, *, bad: bool = True) -> bytes:
    """`data-rows.csv` of so many reviews, the last of which has no row that names its study where `bad`."""
    rng = np.random.default_rng(seed)
    tables = [_review(f"CD{900000 + number:06d}_pub2", rng) for number in range(reviews - bad)]
    if bad:
        tables.append(_review(BAD, rng).assign(Study=""))
    text = io.StringIO()
    pd.concat(tables).reindex(columns=list(COLUMNS)).to_csv(text, index=False, lineterminator="\n")
    return text.getvalue().encode("utf-8")


def _review(name: str, rng: np.random.Generator) -> pd.DataFrame:
    parts = []
    for number in range(1, int(rng.integers(3, 7))):
        kind = KINDS[int(rng.integers(len(KINDS)))]
        k = int(rng.choice([1, 2, 3, 4, 6, 9, 14]))
        rows = (_counts if kind in ("RR", "OR") else _means)(kind, k, rng)
        rows |= {
            "Review": name, "Review doi": f"10.1002/14651858.{name.replace('_', '.')}", "Analysis group": 1,
            "Analysis number": number, "Analysis name": f"Outcome {number}, {kind}", "Subgroup": "",
            "Applicability": "OVERALL", "Study": [f"{NAMES[(i + number) % len(NAMES)]} {1980 + i}" for i in range(k)],
            "Study year": [1980 + i for i in range(k)], "GIV Mean": 0, "O-E": 0,
        }  # fmt: skip
        parts.append(pd.DataFrame(rows))
    return pd.concat(parts)


def _counts(measure: str, k: int, rng: np.random.Generator) -> dict[str, object]:
    n1, n2 = rng.integers(20, 200, (2, k)).astype(float)
    risk = rng.uniform(0.1, 0.5, k)
    a, c = (
        np.maximum(rng.binomial(n1.astype(int), risk * 0.8), 1.0),
        np.maximum(rng.binomial(n2.astype(int), risk), 1.0),
    )
    b, d = n1 - a, n2 - c
    if measure == "RR":
        yi, vi, weight = np.log(a * n2 / (c * n1)), 1 / a - 1 / n1 + 1 / c - 1 / n2, c * n1 / (n1 + n2)
    else:
        yi, vi, weight = np.log(a * d / (b * c)), 1 / a + 1 / b + 1 / c + 1 / d, b * c / (n1 + n2)
    printed = {"Experimental cases": a, "Experimental N": n1, "Control cases": c, "Control N": n2}
    printed |= dict.fromkeys(("Experimental mean", "Experimental SD", "Control mean", "Control SD"), 0)
    return {name: np.asarray(x).astype(int) for name, x in printed.items()} | _printed(np.exp, yi, vi, weight)


def _means(kind: str, k: int, rng: np.random.Generator) -> dict[str, object]:
    n1, n2 = rng.integers(10, 120, (2, k)).astype(float)
    m1, m2 = np.round(rng.normal(20, 3, k), 1), np.round(rng.normal(22, 3, k), 1)
    s1, s2 = np.round(rng.uniform(4, 9, (2, k)), 1)
    if kind.startswith("MD"):
        yi, vi = m1 - m2, s1**2 / n1 + s2**2 / n2
    else:
        n = n1 + n2
        s = np.sqrt(((n1 - 1) * s1**2 + (n2 - 1) * s2**2) / (n - 2))
        yi = (m1 - m2) / s * (1 - 3 / (4 * n - 9))
        vi = n / (n1 * n2) + yi**2 / (2 * (n - 3.94))
    w = 1 / vi
    if kind.endswith("random") and k > 1:
        q = np.sum(w * (yi - np.sum(w * yi) / np.sum(w)) ** 2)
        w = 1 / (vi + max(0.0, (q - (k - 1)) / (np.sum(w) - np.sum(w**2) / np.sum(w))))
    printed = {"Experimental mean": m1, "Experimental SD": s1, "Control mean": m2, "Control SD": s2}
    counts = {
        "Experimental cases": 0,
        "Experimental N": n1.astype(int),
        "Control cases": 0,
        "Control N": n2.astype(int),
    }
    return printed | counts | _printed(lambda x: x, yi, vi, w)


def _printed(natural: object, yi: np.ndarray, vi: np.ndarray, weight: np.ndarray) -> dict[str, object]:
    """RevMan's columns, six decimals."""
    se = np.sqrt(vi)
    ends = {"Mean": yi, "CI start": yi - Z * se, "CI end": yi + Z * se}
    told = {name: np.round(natural(x), 6) for name, x in ends.items()}  # type: ignore[operator]
    return told | {"Weight": np.round(100 * weight / weight.sum(), 6), "GIV SE": se, "Variance": vi}
