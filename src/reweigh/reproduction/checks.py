"""Published rows against themselves: p against CI, symmetry of the CI, counts, abstract against table."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from itertools import product

import pandas as pd

from reweigh.io import frame
from reweigh.measures import RATIO_MEASURES
from reweigh.quantile import t_critical, two_sided_p, z_critical
from reweigh.reproduction.printed import Printed, parse_number, parse_p
from reweigh.schemas import columns

#: Measures that are symmetric after this transformation.
_TRANSFORMS: dict[str, Callable[[float], float]] = {
    **dict.fromkeys(RATIO_MEASURES, math.log),
    "NNT": lambda x: 1 / x,
}
#: Measures whose value without an effect is 0 after the transformation, so that a p-value belongs to the CI.
_EFFECTS = frozenset({"MD", "WMD", "SMD", "RD", "NNT", "mean_decrease", *_TRANSFORMS})
LEVEL = 0.95

CONSISTENT, FLAG, UNKNOWN = "consistent", "flag", "cannot be checked"
CHECKS = ("p against CI", "symmetry of the CI", "trials and patients", "abstract against table")


def check_published(published: pd.DataFrame) -> pd.DataFrame:
    """Check every published row that prints an estimate against itself.

    Parameters
    ----------
    published
        published.csv read as text, so that printed decimals survive; ratios on the natural scale.

    Returns
    -------
    One row per published row and check, with result "consistent", "flag" or "cannot be checked" and the reason.
    """
    table = published.fillna("").astype(str)
    rows = []
    for number, record in enumerate(table.to_dict("records"), start=2):
        row = {str(key): value for key, value in record.items()}
        if parse_number(row.get("estimate", "")) is None:
            continue
        found = (_p_against_ci(row), _symmetry(row), _counts(row, table), _abstract(row))
        identity = {name: row.get(name, "") for name in columns("published_checks.csv")[1:7]}
        rows += [
            {"row": number, **identity, "check": name, "result": result, "detail": detail}
            for name, (result, detail) in zip(CHECKS, found, strict=True)
        ]
    return frame("published_checks.csv", rows)


def _interval(row: dict[str, str]) -> tuple[Printed, Printed, Printed] | None:
    given = [parse_number(row.get(name, "")) for name in ("estimate", "ci_lower", "ci_upper")]
    if any(x is None for x in given):
        return None
    estimate, lower, upper = (x for x in given if x is not None)
    return estimate, lower, upper


def _corners(row: dict[str, str], numbers: tuple[Printed, ...]) -> list[tuple[float, ...]] | None:
    """Transformed values at every corner of the rounding ranges; None where a ratio could be 0."""
    logged = row.get("estimate_scale", "") not in ("", "natural")
    transform: Callable[[float], float] = float if logged else _TRANSFORMS.get(row.get("measure", ""), float)
    try:
        return [tuple(transform(x) for x in corner) for corner in product(*(n.range for n in numbers))]
    except (ValueError, ZeroDivisionError):
        return None


def p_range(row: dict[str, str]) -> tuple[float, float] | None:
    """Smallest and largest two-sided p that the printed estimate and 95% CI allow; None where there is none.

    The CI is read as Wald's; where k is printed, also as t's with k - 1 degrees of freedom (Altman and Bland 2011,
    BMJ 343:d2304, with the rounding of all three numbers carried through).
    """
    numbers = _interval(row)
    corners = _corners(row, numbers) if numbers and row.get("measure") in _EFFECTS else None
    if not corners:
        return None
    k = parse_number(row.get("k", ""))
    dfs = [math.inf, *([k.value - 1] if k is not None and k.value >= 2 else [])]
    found: list[float] = []
    for df in dfs:
        crit = float(t_critical(df, LEVEL))
        for estimate, lower, upper in corners:
            width = abs(upper - lower)
            if width > 0:
                found.append(float(two_sided_p(estimate * 2 * crit / width, df)))
    # A rounding range that holds no effect allows p = 1.
    estimates = [c[0] for c in corners]
    if found and min(estimates) < 0 < max(estimates):
        found.append(1.0)
    return (min(found), max(found)) if found else None


def _p_against_ci(row: dict[str, str]) -> tuple[str, str]:
    try:
        printed = parse_p(row.get("p_reported", ""))
    except ValueError as error:
        return FLAG, str(error)
    if printed is None:
        return UNKNOWN, "no p-value printed"
    if "knapp" in row.get("model", "").lower() and parse_number(row.get("k", "")) is None:
        return UNKNOWN, "a Hartung-Knapp interval without k: its degrees of freedom are not known"
    allowed = p_range(row)
    if allowed is None:
        return UNKNOWN, "no CI printed, or no effect measure"
    low, high = allowed
    operator, p = printed
    fits = {
        "<": low < p.value,
        ">": high > p.value,
        "=": low <= p.range[1] and high >= p.range[0],
    }[operator]
    span = _p_words(low) if _p_words(low) == _p_words(high) else f"{_p_words(low)} to {_p_words(high)}"
    detail = f"printed p {operator} {p.value:g}; the CI gives p = {span}"
    return (CONSISTENT, detail) if fits else (FLAG, f"{detail}: this p-value does not belong to this CI")


def _p_words(p: float) -> str:
    return f"{p:.2g}" if p >= 1e-4 else "below 0.0001"


def _symmetry(row: dict[str, str]) -> tuple[str, str]:
    numbers = _interval(row)
    if numbers is None:
        return UNKNOWN, "no CI printed"
    estimate, lower, upper = (n.value for n in numbers)
    if not lower <= estimate <= upper:
        return FLAG, f"the estimate {estimate:g} lies outside its CI ({lower:g} to {upper:g})"
    corners = _corners(row, numbers)
    if corners is None:
        return UNKNOWN, "a printed limit of a ratio rounds to 0"
    middles = [(low + high) / 2 for _, low, high in corners]
    estimates = [c[0] for c in corners]
    scale = {"NNT": "1/NNT", **dict.fromkeys(RATIO_MEASURES, "log")}.get(row["measure"], "")
    scale = scale if row.get("estimate_scale", "") in ("", "natural") else ""
    where = f" on the {scale} scale" if scale else ""
    if max(middles) >= min(estimates) and min(middles) <= max(estimates):
        return CONSISTENT, f"symmetric{where} within rounding"
    back: dict[str, Callable[[float], float]] = {"log": math.exp, "1/NNT": lambda x: 1 / x}
    middle = back.get(scale, float)((min(middles) + max(middles)) / 2)
    return FLAG, f"the middle of the CI{where} is {middle:.3g}, not {estimate:g}: not symmetric, even within rounding"


def _counts(row: dict[str, str], table: pd.DataFrame) -> tuple[str, str]:
    k, n = parse_number(row.get("k", "")), parse_number(row.get("n_total", ""))
    of_review = table[(table["review_id"] == row.get("review_id")) & (table["measure"] == "size_only")]
    problems, seen = [], []
    for name, mine in (("k", k), ("n_total", n)):
        whole = [x for text in of_review.get(name, []) if (x := parse_number(text)) is not None]
        if mine is not None and whole:
            most = max(x.value for x in whole)
            seen.append(f"{name} {mine.value:g} of the review's {most:g}")
            if mine.value > most:
                problems.append(f"{name} {mine.value:g} is more than the whole review has ({most:g})")
    if k is not None and n is not None:
        seen.append(f"{n.value:g} patients in {k.value:g} trials")
        if n.value < 2 * k.value:
            problems.append(f"{n.value:g} patients cannot fill two arms of {k.value:g} trials")
        numbers = _interval(row)
        if row.get("measure") == "SMD" and numbers is not None:
            # The variance of an SMD is at least 4/n (two equal groups, no effect).
            crit = 2 * float(z_critical(LEVEL))
            widest = (numbers[2].range[1] - numbers[1].range[0]) / crit
            if widest < 2 / math.sqrt(n.value):
                problems.append(f"the CI is narrower than {n.value:g} patients can give")
    if problems:
        return FLAG, "; ".join(problems)
    return (CONSISTENT, "; ".join(seen)) if seen else (UNKNOWN, "k and n not printed")


def _abstract(row: dict[str, str]) -> tuple[str, str]:
    """The numbers of the table against those of the source's text, which `evidence` keeps."""
    text = row.get("evidence", "").replace("\N{MINUS SIGN}", "-").replace("\N{MIDDLE DOT}", ".")
    found = {round(abs(float(x)), 10) for x in re.findall(r"\d+\.?\d*|\.\d+", text)}
    if not found:
        return UNKNOWN, "no numbers of the source's text are recorded"
    missing = []
    for name in ("estimate", "ci_lower", "ci_upper"):
        number = parse_number(row.get(name, ""))
        if number is not None and not {round(abs(number.value), 10), round(abs(100 * number.value), 10)} & found:
            missing.append(f"{name} {row[name]}")
    if missing:
        return FLAG, f"not in the source's text: {', '.join(missing)}"
    return CONSISTENT, "every number stands in the source's text, too"
