"""What a methodologist asks a corpus first: each answer is a count of rows of corpus.csv by a rule that is said."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from reweigh.io import records
from reweigh.text.codes import parse
from reweigh.text.corpus import AGREEMENT, CHANGES, IMPORTANT_CHANGES, ROWS
from reweigh.text.numbers import fixed, whole

#: Classes of the number of trials; the last one is open.
CLASSES = ((2, 2), (3, 4), (5, 9), (10, None))


@dataclass(frozen=True, slots=True)
class Answer:
    """One question, its answer in a sentence, and the rule by which rows are counted.

    `column` of corpus.csv says of each analysis which of the `kinds` (value to words) it is; analyses where it is empty
    are not asked. `counts` has a row per class of k and per measure (`by`, `group`), a column per kind, and `asked`.
    """

    key: str
    question: str
    answer: str
    rule: str
    column: str
    kinds: Mapping[str, str]
    counts: pd.DataFrame


def classified(table: pd.DataFrame) -> pd.DataFrame:
    """corpus.csv with the columns that answers count: `pi`, `narrow`, `hangs` and the class of k."""
    made = table.copy()
    several = made["k"] >= CLASSES[0][0]
    made["class"] = [_class(k) for k in made["k"]]
    made["pi"] = made["pi_includes_no_effect"].where(several, "")
    # Asked of those alone whose interval excludes no effect.
    conclusive = made["guarded_says"].isin(["above", "below"]) & several
    made["pi_conclusive"] = made["pi"].where(conclusive, "")
    made["narrow"] = made["hk_narrow"].where(several, "")
    hangs = made["decisive_trials"].map(lambda n: "yes" if n > 0 else "no")
    made["hangs"] = hangs.where(conclusive & made["decisive_trials"].notna(), "")
    for name in ("change_guarded", "change_reml_hk", "change_important"):
        made[name] = made[name].where(several, "")
    return made


def answers(table: pd.DataFrame) -> list[Answer]:
    """The answers of a corpus, in the order in which they are read; `table` is corpus.csv."""
    found = classified(table)
    kinds = {"yes": "yes", "no": "no"}
    made = [
        _weights(found),
        _answer(
            found, "conclusion", "change_guarded", CHANGES,
            "Does current practice change what an analysis says of no effect?",
            "{lost} of {asked} lose a conclusion, {gained} gain one, {turned} turn round",
            "Analyses of two trials or more whose authors' model is known by its weights or settings. A conclusion is "
            "an interval that excludes no effect; current practice is REML with the guarded Hartung-Knapp interval.",
        ),
        _answer(
            found, "conclusion-hk", "change_reml_hk", CHANGES, "And with the Hartung-Knapp interval as it is?",
            "{lost} of {asked} lose a conclusion, {gained} gain one, {turned} turn round",
            "As above, with the Hartung-Knapp interval that may be narrower than the common-effect one.",
        ),
        _answer(
            found, "important", "change_important", IMPORTANT_CHANGES,
            "Does it change what an analysis says of an important effect?",
            "{changed} of {asked} say something else",
            "Analyses of measures for which a bound was named (`--important`). An interval is beyond a bound "
            "(important), within both (unimportant), or holds one (unclear).",
        ),
        _answer(
            found, "prediction", "pi", kinds, "How many prediction intervals include no effect?",
            "{yes} of {asked}",
            "Analyses of three trials or more: the Hartung-Knapp prediction interval of the REML model.",
        ),
        _answer(
            found, "prediction-conclusive", "pi_conclusive", kinds, "And of those whose mean effect excludes it?",
            "{yes} of {asked}", "As above, where the guarded confidence interval excludes no effect.",
        ),
        _answer(
            found, "narrow", "narrow", kinds, "How often is Hartung-Knapp narrower than common effect?",
            "{yes} of {asked}", "Analyses of two trials or more: widths of the two 95% intervals, tau2 by REML.",
        ),
        _answer(
            found, "one-trial", "hangs", kinds, "How many conclusions hang on one trial?",
            "{yes} of {asked}",
            "Analyses of three trials or more whose guarded interval excludes no effect: there is a trial without "
            "which it includes it.",
        ),
    ]  # fmt: skip
    return [one for one in made if int(one.counts["asked"].sum())]


def _weights(found: pd.DataFrame) -> Answer:
    told = found.assign(agreement=found["agreement"].where(found["k"] >= 2, ""))
    sums = told["agreement"].isin([name for name in AGREEMENT if AGREEMENT[name][1]])
    agree = int((told["agreement"] == "agrees").sum())
    kinds = {name: words for name, (words, _) in AGREEMENT.items()}
    return Answer(
        "weights", "How many pooled estimates come back from RevMan's weights?",
        f"{part_of(agree, int(sums.sum()))} of the analyses whose weights sum to 100",
        "Analyses of two trials or more. The weights choose the model; then all weights agree within 0.1 percentage "
        "point, and the estimate that RevMan's weights and rows imply is ours at two decimals. Weights that sum to 100 "
        "within subgroups alone are compared subgroup by subgroup.",
        "agreement", kinds, _counts(told, "agreement", kinds),
    )  # fmt: skip


def _answer(
    found: pd.DataFrame, key: str, column: str, kinds: Mapping[str, str], question: str, said: str, rule: str
) -> Answer:
    counts = _counts(found, column, kinds)
    total = counts[counts["by"] == "k"].drop(columns=["by", "group"]).sum()
    changed = total["asked"] - total.get("none", 0)
    words = {name: whole(total[name]) for name in total.index} | {"changed": whole(changed)}
    first = total[next(iter(kinds))] if "{yes}" in said else changed
    share = f" ({_share(first, total['asked'])})" if total["asked"] else ""
    return Answer(key, question, said.format_map(words) + share, rule, column, kinds, counts)


def _counts(found: pd.DataFrame, column: str, kinds: Mapping[str, str]) -> pd.DataFrame:
    """Analyses of each kind by class of k and by measure."""
    asked = found[found[column] != ""]
    rows = []
    order = [_class(low) for low, _ in CLASSES]
    for by, name, groups in (("k", "class", order), ("measure", "measure", sorted(asked["measure"].unique()))):
        for group in groups:
            mine = asked[asked[name] == group]
            counted = Counter(mine[column])
            rows.append({"by": by, "group": group, "asked": len(mine), **{kind: counted[kind] for kind in kinds}})
    return pd.DataFrame(rows, columns=["by", "group", "asked", *kinds])


def _class(k: float) -> str:
    for low, high in CLASSES:
        if k >= low and (high is None or k <= high):
            return f"{low}" if low == high else f"{low} or more" if high is None else f"{low} to {high}"
    return ""


def rows_back(table: pd.DataFrame) -> tuple[int, int, dict[str, int]]:
    """Printed results of rows, those that came back at two decimals, and the others by kind."""
    kinds: Counter[str] = Counter()
    for cell in table["row_codes"]:
        for one in parse(cell):
            kinds[one.name] += int(one.parameters["n"])
    return int(table["rows"].sum()), int(table["rows_back"].sum()), {name: kinds[name] for name in ROWS if kinds[name]}


def summary(table: pd.DataFrame, problems: pd.DataFrame) -> str:
    """What the terminal says at the end: how much there is, each answer in a line, and what failed."""
    rows, back, _ = rows_back(table)
    lines = [
        f"{whole(table['review'].nunique())} reviews, {whole(len(table))} analyses, "
        f"{whole((table['k'] >= 2).sum())} of two trials or more",
        f"RevMan's results of rows that come back: {part_of(back, rows)}",
        *(f"{one.question} {one.answer}" for one in answers(table)),
    ]
    if len(problems):
        lines.append(f"{whole(problems['review'].nunique())} reviews went no further:")
        lines += [f"  {row['review']}, {row['stage']}: {row['problem'].splitlines()[0]}" for row in records(problems)]
    return "\n".join(lines)


def part_of(part: int, total: int) -> str:
    """A count with its share: `1 of 2 (50.0%)`."""
    return f"{whole(part)} of {whole(total)}" + (f" ({_share(part, total)})" if total else "")


def _share(part: float, total: float) -> str:
    """Percent with one decimal; two where that would round to 100."""
    percent = 100 * part / total
    return f"{fixed(percent, 2 if 99 < percent < 100 else 1)}%"


__all__: Sequence[str] = ["Answer", "answers", "classified", "part_of", "rows_back", "summary"]
