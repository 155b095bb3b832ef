"""The search for one printed estimate as a student reads it: results that differ, and the methods that give each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from reweigh.io import records
from reweigh.reproduction.printed import parse_number
from reweigh.text.numbers import fixed
from reweigh.text.reproduction import NAMED

_MORE = 2
"""Digits shown beyond those that are printed."""


def results(methods: pd.DataFrame, row: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The methods tried on one row of the ledger, by result: those first that give the most printed digits.

    Parameters
    ----------
    methods
        reproduction_methods.csv, any rows of it.
    row
        The row of reproduction.csv.

    Returns
    -------
    One dictionary per result and choice of trials: `result` in words, with two digits more than are printed, `k`,
    `digits`, `digits_printed`, `agrees`, `trials`, `searched`, and `methods`, each with `method`, `named` in words and
    `cannot`; the methods that the source names first.
    """
    printed = [parse_number(row.get(f"printed_{name}", "")) for name in ("estimate", "ci_lower", "ci_upper")]
    decimals = _MORE + max(one.decimals for one in printed if one is not None)
    order = {name: i for i, name in enumerate(NAMED)}
    found: dict[tuple[str, ...], dict[str, Any]] = {}
    mine = methods[methods["row"] == row["row"]]
    mine = mine.assign(_order=mine["named"].map(order)).sort_values(["_order", "number"], kind="stable")
    for one in records(mine):
        shown = fixed(one["estimate"], decimals)
        if one["ci_lower"] == one["ci_lower"]:
            shown += f" ({fixed(one['ci_lower'], decimals)} to {fixed(one['ci_upper'], decimals)})"
        here = found.setdefault(
            (shown, one["set"], one["trials"], str(one["k"])),
            {"result": shown, "methods": []} | {key: one[key] for key in _OF_RESULT},
        )
        # Two methods may give one result to the digits that are shown, and another number of printed ones.
        if one["digits"] > here["digits"] or (one["agrees"] == "yes" and here["agrees"] == "no"):
            here |= {key: one[key] for key in ("digits", "agrees")}
        here["methods"].append({"method": one["method"], "named": NAMED[one["named"]], "cannot": one["cannot"]})
    return sorted(found.values(), key=lambda one: (one["agrees"] != "yes", -one["digits"]))


_OF_RESULT = ("set", "k", "digits", "digits_printed", "agrees", "trials", "searched")


def lines(methods: pd.DataFrame, row: Mapping[str, Any]) -> Iterator[str]:
    """The search for one row of the ledger, line by line: what is printed, the verdict, and every method tried."""
    what = [row["outcome"].replace("_", " "), row["timepoint"], row["subgroup"]]
    yield f"{row['label']}: {', '.join(one for one in what if one)}"
    on = f" on the {row['estimate_scale']} scale" if row["estimate_scale"] not in ("", "natural") else ""
    slope = f", {row['coefficient'] or 'slope'} of the regression on {row['moderators']}"
    regression = slope if row["moderators"] else ""
    yield f"Printed: {row['measure']} {row['printed'] or 'nothing'}{on}{regression}"
    more = [("k", row["printed_k"]), ("I2", row["printed_i2"]), ("SE", row["printed_se"]), ("P", row["printed_p"])]
    if said := [f"{name} {value}" for name, value in more if str(value) not in ("", "nan")]:
        yield f"Printed beside it: {', '.join(said)}"
    yield f"Model that the source names: {row['printed_model'] or 'none'}"
    yield f"Verdict: {row['verdict']}"
    if row["missing"]:
        yield f"What is missing: {row['missing']}"
    if not row["found_model"]:
        return
    yield f"Shown by: {row['found_model']} (set {row['set']}, {row['trials']}, k = {row['k']:g})"
    yield (
        f"Tried: {row['methods_tried']:g} methods on {row['trials_tried']:g} choice(s) of trials. They give "
        f"{row['distinct_results']:g} results that differ; {row['print_alike']:g} methods "
        f"({row['distinct_alike']:g} results) print as the source does."
    )
    if row["note"]:
        yield f"Note: {row['note']}"
    yield ""
    for one in results(methods, row):
        trials = one["trials"] + (" (searched)" if one["searched"] == "yes" else "")
        yield f"{one['digits']:g} of {one['digits_printed']:g} digits  {one['result']}  k = {one['k']:g}, {trials}"
        for method in one["methods"]:
            why = f": {method['cannot']}" if method["cannot"] else ""
            yield f"    {method['method']} - {method['named']}{why}"
