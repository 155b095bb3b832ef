"""How often each rule of flags.csv fires on the rows of Cochrane reviews: the numbers of docs/flags.md.

    python benchmarks/flags.py ../shared/corpus/data-rows.csv.gz

The rows of a Cochrane data package have arms (n, mean and SD, or events) and RevMan's own effect and interval. They
have no interval, range, percentage, design, judgement or number randomised per arm: rules about those are arithmetic (a
sound row cannot break them) and are not counted. Rows are taken for sound, although some are not: what a rule finds is
its largest false-alarm rate.
"""

from __future__ import annotations

import sys
from collections import Counter

import numpy as np
import pandas as pd

from reweigh.flags import duplicates, opposed, same_controls, spreads
from reweigh.protocol.model import Outcome, Protocol, Question, Words
from reweigh.tables.specs import ARMS, CONTRASTS

SIDES = {"intervention": "Experimental", "control": "Control"}


def protocol(measure: str) -> Protocol:
    """A protocol of one outcome, `o`."""
    kind = "binary" if measure == "RR" else "continuous"
    outcome = Outcome(label="o", type=kind, measure=measure, better="lower")
    words = Words(intervention="experimental", control="control")
    question = Question(population="p", intervention="i", comparator="c")
    return Protocol(title="t", question=question, words=words, outcomes={"o": outcome})


PROTOCOLS = {measure: protocol(measure) for measure in ("MD", "SMD", "RR")}


def tables(rows: pd.DataFrame) -> tuple[str, pd.DataFrame, pd.DataFrame]:
    """Measure, arms and effects of one analysis."""
    counts = (rows["Experimental cases"] > 0) | (rows["Control cases"] > 0)
    gap = rows["Experimental mean"] - rows["Control mean"]
    measure = "RR" if counts.any() else "MD" if np.allclose(gap, rows["Mean"], atol=0.01) else "SMD"
    given = rows[(rows["Experimental N"] > 0) & (rows["Control N"] > 0)]
    frames = []
    for role, side in SIDES.items():
        arm = pd.DataFrame({"study_id": given["Study"], "row": given.index, "n": given[f"{side} N"], "role": role})
        arm["comparison_id"] = given["Study"] + " " + given.groupby("Study").cumcount().astype(str)
        if measure == "RR":
            arm["events"] = given[f"{side} cases"]
        else:
            arm["mean"], arm["sd"] = given[f"{side} mean"], given[f"{side} SD"].where(given[f"{side} SD"] > 0)
        frames.append(arm)
    columns = list(ARMS.names)
    arms = pd.concat(frames, ignore_index=True).reindex(columns=[*columns, "row"]).assign(outcome="o")
    estimate, low, high = (rows[c].astype(float) for c in ("Mean", "CI start", "CI end"))
    # A ratio's interval is symmetric in logarithms.
    ratio = bool((estimate > 0).all() and (low > 0).all()) and measure == "RR"
    with np.errstate(divide="ignore", invalid="ignore"):
        y, a, b = (np.log(v) if ratio else v for v in (estimate, low, high))
    effects = pd.DataFrame({
        "analysis": "a", "set": "main", "outcome": "o", "study_id": rows["Study"], "estimate": y,
        "se": (b - a) / 3.92, "rows": [f"arms.csv:{i}" for i in rows.index],
    })  # fmt: skip
    return measure, arms, effects[np.isfinite(effects["estimate"]) & (effects["se"] > 0)]


def main(path: str) -> None:
    """Print how often each rule fires."""
    data = pd.read_csv(path, low_memory=False)
    data = data[data["Mean"].notna() & data["Study"].notna()].reset_index(drop=True)
    fired: Counter[str] = Counter()
    of: Counter[str] = Counter()
    trials: set[tuple[str, str]] = set()
    nothing = pd.DataFrame(columns=[*CONTRASTS.names, "row"])
    for (review, *_), rows in data.groupby(["Review", "Analysis group", "Analysis number"], sort=False):
        measure, arms, effects = tables(rows)
        spread = int(arms["sd"].notna().sum())
        of.update(dict.fromkeys(("sd_like_se", "se_like_sd"), spread))
        of.update({"same_controls": len(arms) // 2, "duplicate_trial": len(arms) // 2, "opposes_all": len(effects)})
        found = [
            *spreads(arms, PROTOCOLS[measure]), *same_controls(arms, set()), *duplicates(arms, nothing),
            *opposed(effects),
        ]  # fmt: skip
        # A trial with one control group in two comparisons is told once, not once per outcome.
        told = {(review, flag.study_id) for flag in found if flag.rule == "same_controls"} - trials
        trials |= told
        fired.update([flag.rule for flag in found if flag.rule != "same_controls"] + ["same_controls"] * len(told))
    print(f"{data['Review'].nunique()} reviews, {len(data)} rows")
    for rule, count in of.items():
        print(f"| `{rule}` | {fired[rule]} of {count} | {100 * fired[rule] / max(count, 1):.2f}% |")
    print("others:", {rule: n for rule, n in fired.items() if rule not in of})


if __name__ == "__main__":
    main(sys.argv[1])
