"""What the page says of every analysis: its figures, its trials, its pooled results, and what later stages found."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from reweigh.figures.forest.catalogue import plot, splits
from reweigh.figures.forest.draw import draw_forest
from reweigh.figures.forest.table import forest_table
from reweigh.figures.svg import render
from reweigh.io import records
from reweigh.measures import MEASURE_LABELS
from reweigh.protocol.models import INTERVAL_LABELS, describe_model
from reweigh.report import words
from reweigh.report.drawings import inline, width_of
from reweigh.report.inputs import Inputs
from reweigh.report.stacked import stacked
from reweigh.text.codes import has
from reweigh.text.files import file_name
from reweigh.text.numbers import (
    count_text,
    decimals_of,
    fixed,
    level_text,
    p_text,
    percent_text,
    row_text,
    span_text,
    stated_text,
    whole,
)

#: Figures wider than this many points take a row of their own.
COLUMN = 290.0
ALONE = "one trial, not pooled"


class Notes:
    """The notes of the trials' effects, each once: derivation, assumptions, flags, source, worked page."""

    def __init__(self, worked: Mapping[str, str]) -> None:
        self.worked = worked
        self.known: dict[tuple[str, ...], str] = {}
        self.entries: list[dict[str, Any]] = []

    def of(self, row: Mapping[str, Any]) -> str:
        """Id of the note of a row of effects.csv."""
        parts = ("label", "derivation", "assumptions", "flags", "source", "rows")
        page = file_name(f"{row['comparison_id']}.{row['outcome']}.{row['window']}") + ".md"
        page = page if row["set"] == "main" and page in self.worked else ""
        text = f"{row['measure']} {row_text(row)}"
        key = (*(str(row[name]) for name in parts), page, text)
        if key not in self.known:
            self.known[key] = f"n{len(self.known) + 1}"
            entry = {name: words.nice(row[name]) for name in parts[:4]} | {"source": row["source"], "rows": row["rows"]}
            self.entries.append(entry | {"id": self.known[key], "page": page.removesuffix(".md"), "effect": text})
        return self.known[key]


def outcomes(inputs: Inputs, notes: Notes) -> list[dict[str, Any]]:
    """Outcomes in the order of the protocol, each with its analyses."""
    found = []
    for name, outcome in inputs.protocol.outcomes.items():
        mine = inputs.effects[inputs.effects["outcome"] == name]
        analyses = [_analysis(group, inputs, notes) for _, group in mine.groupby(["window", "measure"], sort=False)]
        windows = list(inputs.protocol.windows)
        measures = [outcome.measure, *outcome.also]
        analyses.sort(key=lambda a: (windows.index(a["window"]), measures.index(a["measure"])))
        empty = [
            {
                "window": words.lower_first(words.window_label(window, inputs.protocol)),
                "not_pooled": not_pooled(f"{name}.{window}", inputs),
            }
            for window in inputs.unusable(name)
        ]
        found.append({"id": name, "label": outcome.label, "analyses": analyses, "empty": empty})
    return found


def _analysis(group: pd.DataFrame, inputs: Inputs, notes: Notes) -> dict[str, Any]:
    protocol, first = inputs.protocol, group.iloc[0]
    outcome = protocol.outcomes[str(first["outcome"])]
    base = str(first["analysis"]) if first["set"] == "main" else str(first["analysis"]).removesuffix(f".{first['set']}")
    drawn = set(inputs.figures.loc[inputs.figures["kind"] == "forest", "analysis"])
    mine = {str(name): rows for name, rows in group.groupby("analysis", sort=False)}
    ids = [a for a in inputs.figures["analysis"] if a in drawn and _belongs(a, mine)]
    views = [_view(name, group, inputs, notes) for name in dict.fromkeys(ids)]
    own = str(first["analysis"])
    models = records(inputs.pooled[inputs.pooled["analysis"] == own])
    window = words.window_label(str(first["window"]), protocol)
    return {
        "id": base,
        "own": own,
        "window": str(first["window"]),
        "measure": str(first["measure"]),
        "title": f"{outcome.label}, {words.lower_first(window)}",
        "level": level_text(protocol.level_of(str(first["outcome"]))),
        "measure_label": MEASURE_LABELS[first["measure"]],
        "main_measure": first["measure"] == outcome.measure,
        "set_label": "" if first["set"] == "main" else protocol.sets[str(first["set"])].label,
        "views": views,
        "shown": views[0]["id"] if views else "",
        "main": models[0],
        "i2": protocol.models_of(str(first["outcome"]))[0].i2,
        "stated": stated_text(models[0]),
        "guarded": guarded(models[0]),
        "count": how_many(models[0]),
        "models": [_model_row(row) for row in models],
        "model_notes": list(dict.fromkeys(f"{row['model']}: {row['note']}" for row in models if row["note"])),
        "sets": _sets(group, base, drawn, inputs),
        "splits": _splits(own, inputs),
        "effects": [_effect_row(row, notes) for row in records(inputs.effects[inputs.effects["analysis"] == own])],
        "not_pooled": not_pooled(own, inputs),
        "journals": [
            f"figures/{row['kind']}/{file_name(own)}.svg"
            for row in inputs.of("figures", own)
            if str(row["kind"]).startswith("forest_")
        ],
        "elsewhere": _elsewhere(own, str(first["outcome"]), inputs),
        "further": _further(base, inputs),
        "later": _later(own, inputs),
    }


def how_many(row: Mapping[str, Any]) -> str:
    """`k = 17 trials, n = 1,503` of a row of pooled.csv."""
    trials = ALONE if row["k"] == 1 else f"k = {count_text(row['k'], row.get('comparisons'))}"
    return trials + (f", n = {whole(n)}" if not words.missing(n := row["participants"]) else "")


def not_pooled(analysis: str, inputs: Inputs) -> list[str]:
    """`Yucel 2004: no events in either arm` of each eligible trial that is not in the pool of an analysis."""
    return [f"{row['label']}: {words.nice(row['reason'])}" for row in inputs.of("not_pooled", analysis)]


def _elsewhere(analysis: str, outcome: str, inputs: Inputs) -> list[str]:
    """`Schwartzman 2009: up to 3 months` of each trial of the review that measured the outcome at other times only."""
    there = {row["study_id"] for name in ("effects", "not_pooled") for row in inputs.of(name, analysis)}
    rows = inputs.rows[(inputs.rows["outcome"] == outcome) & ~inputs.rows["study_id"].isin(there)]
    rows = rows[rows["stage"].isin(("", "window", "effects", "choice"))]
    labels = inputs.studies.drop_duplicates("study_id").set_index("study_id")["label"]
    times = rows.groupby("study_id", sort=False)["timepoint"].unique()
    return [f"{labels.get(study, study)}: {', '.join(map(str, of))}" for study, of in times.items()]


def guarded(row: Mapping[str, Any]) -> str:
    """`guarded −2.14 to 0.45` where a row's Hartung-Knapp interval is narrower than the common-effect one."""
    return f"guarded {span_text(row, 'guarded_ci')}" if has(row["note_codes"], "hartung_knapp_narrow") else ""


def _belongs(name: str, mine: Mapping[str, pd.DataFrame]) -> bool:
    """Whether a forest plot stands with an analysis: its own, those of its sets, those by a column that splits it."""
    whole, _, column = name.partition(".by_")
    return whole in mine and (not column or splits(mine[whole], column))


def _view(name: str, group: pd.DataFrame, inputs: Inputs, notes: Notes) -> dict[str, Any]:
    """One forest plot of the page, its lines tied to the notes of the trials."""
    protocol = inputs.protocol
    tables = inputs.effects, inputs.pooled, inputs.subgroups, inputs.weights
    one = plot(name, *tables, protocol, inputs.bias, not_pooled=inputs.not_pooled, units=inputs.units)
    table = forest_table(one.effects, one.pooled, one.subgroups, one.meta, one.not_pooled)
    svg = inputs.drawings.get(f"forest/{file_name(name)}")
    if svg is None:
        svg = render(draw_forest(table, one.meta), "svg").decode("utf-8")
    rows = records(one.effects)
    trials = []
    for line in records(table[table["kind"] == "study"]):
        same = [r for r in rows if str(r["study_id"]) == line["study_id"] and float(r["estimate"]) == line["estimate"]]
        spoken = f"{line['label']}: {line['effect']}" + (
            f", weight {line['weight_text']}" if line["weight_text"] else ""
        )
        trials.append((spoken, notes.of(same[0])))
    _, _, column = name.partition(".by_")
    of_set = protocol.sets[str(one.effects["set"].iloc[0])].label
    main = one.effects["set"].iloc[0] == "main"
    label, kind = of_set, "overall" if main else "set"
    if column:
        label = protocol.groupings[column].label if column in protocol.groupings else column.replace("_", " ")
        label, kind = label + ("" if main else f", {words.lower_first(of_set)}"), "split"
    return {
        "id": name,
        "kind": kind,
        "label": words.upper_first(label),
        "svg": inline(svg, "f" + name.replace(".", "-"), trials),
        "stack": stacked(table, one.meta, [note for _, note in trials]),
        "source": svg,
    }


def _model_row(row: Mapping[str, Any]) -> dict[str, str]:
    several = row["k"] > 1
    bounds = ""
    if several and not words.missing(row["tau2_ci_lower"]):
        bounds = f" ({words.variance(row['tau2_ci_lower'])} to {words.variance(row['tau2_ci_upper'])})"
    return {
        "model": row["model"],
        "method": f"{row['tau2_method']}, {INTERVAL_LABELS.get(row['ci_method'], row['ci_method'])}",
        "effect": row_text(row),
        "guarded": guarded(row),
        "prediction": span_text(row, "pi"),
        "p": p_text(row["p_value"], bare=True),
        "tau2": words.variance(row["tau2"]) + bounds if several else "",
        "i2": percent_text(row["i2"]) if several else "",
        "q": ""
        if not several or words.missing(row["q"])
        else f"{fixed(row['q'], 2)}, df {row['q_df']:.0f}, {p_text(row['q_p_value'])}",
    }


def _effect_row(row: Mapping[str, Any], notes: Notes) -> dict[str, Any]:
    return {
        "label": row["label"],
        "effect": row_text(row),
        "derivation": words.nice(row["derivation"]),
        "assumptions": words.nice(row["assumptions"]),
        "flags": words.nice(row["flags"]),
        "source": row["source"],
        "note": notes.of(row),
    }


def _sets(group: pd.DataFrame, base: str, drawn: set[str], inputs: Inputs) -> list[dict[str, Any]]:
    """Main model of each sensitivity set that changes the trials or their effects."""
    found = []
    for name in group["analysis"].unique():
        if name == base or name not in drawn:
            continue
        row = records(inputs.pooled[inputs.pooled["analysis"] == name])[0]
        chosen = inputs.protocol.sets[row["set"]]
        found.append({"id": name, "label": chosen.label, "k": words.count(row["k"]), "effect": row_text(row),
                      "prediction": span_text(row, "pi")})  # fmt: skip
    return found


def _splits(analysis: str, inputs: Inputs) -> list[dict[str, Any]]:
    """Test for subgroup differences of each column, main model."""
    mine = inputs.subgroups[inputs.subgroups["analysis"].str.startswith(f"{analysis}.by_")]
    found = []
    for _, rows in mine.groupby("column", sort=False):
        row = records(rows)[0]
        label = (
            inputs.protocol.groupings[row["column"]].label
            if row["column"] in inputs.protocol.groupings
            else row["column"]
        )
        test = row["q_between_note"]
        if not words.missing(row["q_between"]):
            q, df, p = (row[f"q_between{name}"] for name in ("", "_df", "_p_value"))
            test = f"Q = {fixed(q, 2)}, df {df:.0f}, {p_text(p)}"
        found.append({"label": words.upper_first(str(label).replace("_", " ")), "test": words.nice(test)})
    return found


def _further(base: str, inputs: Inputs) -> list[dict[str, Any]]:
    """Figures beside the forest plots: small-study plots, sequential analysis, specification curve ..."""
    found = []
    # The same plots in the layouts of journals are files to hand in, not figures of the page.
    beside = inputs.figures[~inputs.figures["kind"].str.startswith("forest")]
    rows = [(f"{row['kind']}/{file_name(row['analysis'])}", row) for row in records(beside)]
    rows += [(f"sequential/{file_name(row['analysis'])}", row) for row in records(inputs.figures_sequential)]
    rows += [
        (f"robustness/{file_name('{analysis}.{kind}'.format_map(row))}", row)
        for row in records(inputs.figures_robustness)
    ]
    regressions = {f"{base}.{name}" for name in inputs.protocol.meta_regression}
    for key, row in rows:
        of_regression = row.get("kind") == "bubble" and row["analysis"] in regressions
        svg = inputs.drawings.get(key)
        if svg is not None and (row["analysis"] == base or of_regression):
            name = key.replace("/", ".")
            found.append(
                {
                    "id": name,
                    "title": words.nice(row["title"]),
                    "file": f"figures/{key}.svg",
                    "svg": inline(svg, name.replace(".", "-")),
                    "wide": width_of(svg) > COLUMN,
                    "source": svg,
                }
            )
    return found


def _later(analysis: str, inputs: Inputs) -> dict[str, Any]:
    """Results of the stages after pooling."""
    loo = inputs.of("leave_one_out", analysis)
    conclusions = inputs.of("conclusions", analysis)
    return {
        "leave_one_out": [_left_out(row, analysis, inputs) for row in loo if row["left_out"]],
        "leave_one_out_note": words.nice(loo[0]["note"]) if loo else "no result for this analysis",
        "conclusions": [
            words.nice(row[name]) for row in conclusions for name in ("fragility", "alternatives") if row[name]
        ],
        "certainty": inputs.of("certainty", analysis),
        "sequential": [words.nice(x["conclusion"] or x["note"]) for x in inputs.of("sequential", analysis)[-1:]],
    }


def _left_out(row: Mapping[str, Any], analysis: str, inputs: Inputs) -> dict[str, str]:
    main = inputs.of("pooled", analysis)[0]
    return {
        "label": row["label"],
        "effect": row_text({**row, "scale": main["scale"]}, decimals_of(main)),
        "tau2": words.variance(row["tau2"]),
        "i2": percent_text(row["i2"]),
        "p": p_text(row["p_value"], bare=True),
    }


def models_in_words(inputs: Inputs) -> list[tuple[str, str]]:
    """Name and description of each model of the protocol."""
    return [(name, words.nice(describe_model(m))) for name, m in inputs.protocol.every_model.items()]
