"""The evidence timeline: every published estimate of an outcome by time window, ours last."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import pairwise
from math import isnan
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.lines import Line2D

from reweigh.figures import style
from reweigh.figures.axis import axis_limits, round_ticks
from reweigh.figures.style import SMALL_SIZE, TEXT_SIZE, TITLE_SIZE, RecordFigure, clean, font, text_width, wrap
from reweigh.measures import MEASURE_LABELS, MEASURES, SAME_MEASURE, Measure, analysed, natural, scale_of
from reweigh.protocol.model import Protocol
from reweigh.reproduction.ledger import published_window
from reweigh.text.numbers import count_text, difference_decimals, effect_text, level_text, number_format

OTHER_TIMES = "Other or unstated times"
COLUMNS = (
    "kind", "window", "label", "year", "what", "estimate", "ci_lower", "ci_upper", "text", "certainty",
)  # fmt: skip

ROW, GAP, MARGIN, PANEL = 12.5, 9.0, 5.0, 140.0
#: Narrowest column of the reviews.
LEAST = 120.0
RULE = "#9a9a9a"


def timelines(published: pd.DataFrame, protocol: Protocol) -> Iterator[tuple[str, str]]:
    """Outcomes and measures of which published reviews print an estimate, in the order of the protocol."""
    if not {"outcome", "measure", "estimate"} <= set(published):  # a table may lack any column
        return
    published = _estimates(published)
    measures = published["measure"].replace(SAME_MEASURE)
    for outcome in protocol.outcomes:
        there = measures[(published["outcome"] == outcome) & (published["estimate"] != "")]
        for measure in MEASURE_LABELS:
            if (there == measure).any():
                yield outcome, measure


def _estimates(published: pd.DataFrame) -> pd.DataFrame:
    """The rows that print an effect: no coefficients of meta-regressions."""
    return published[published["moderators"] == ""] if "moderators" in published else published


def timeline_table(
    published: pd.DataFrame, pooled: pd.DataFrame, certainty: pd.DataFrame, protocol: Protocol, outcome: str,
    measure: str,
) -> pd.DataFrame:  # fmt: skip
    """Rows of the plot on the natural scale: published estimates by window and year, our main estimates last.

    Parameters
    ----------
    published
        published.csv as text.
    pooled, certainty
        Our results.
    protocol
        Windows, scale (a published mean difference on another 0-based scale is rescaled, and says so).
    outcome, measure
        Which plot.

    Raises
    ------
    KeyError
        If the outcome is not in the protocol.
    """
    table = _estimates(published.fillna("").astype(str))
    measures = table["measure"].replace(SAME_MEASURE)
    mine = table[(table["outcome"] == outcome) & (measures == measure) & (table["estimate"] != "")]
    rows: list[dict[str, object]] = []
    for record in mine.to_dict("records"):
        row = {str(k): str(v) for k, v in record.items()}
        factor, note = _rescale(row, protocol, outcome) if measure == "MD" else (1.0, "")
        values = [factor * float(row[n]) if row.get(n) else float("nan") for n in ("estimate", "ci_lower", "ci_upper")]
        if row.get("estimate_scale"):
            values = natural(values, row["estimate_scale"]).tolist()
        what = ", ".join(filter(None, (row.get("timepoint", ""), row.get("subgroup", ""), note)))
        rows.append(
            {
                "kind": "published", "window": published_window(row, protocol),
                "label": clean(row.get("label") or row["review_id"]),
                "year": row.get("year", ""), "what": clean(what), "certainty": row.get("grade", "") or "not stated",
                **_numbers(values, measure),
            }
        )  # fmt: skip
    levels = certainty.drop_duplicates("analysis").set_index("analysis")["certainty"]
    main = pooled[(pooled["set"] == "main") & (pooled["outcome"] == outcome) & (pooled["measure"] == measure)]
    for _, own in main.drop_duplicates("analysis").iterrows():
        values = [float(own[f"{n}_natural"]) for n in ("estimate", "ci_lower", "ci_upper")]
        what = "one trial, not pooled" if own["k"] == 1 else count_text(own["k"], own.get("comparisons"))
        rows.append(
            {
                "kind": "ours", "window": own["window"], "label": "This review", "year": "", "what": what,
                "certainty": levels.get(own["analysis"], "not graded"), **_numbers(values, measure),
            }
        )  # fmt: skip
    order = {name: i for i, name in enumerate([*protocol.windows, ""])}
    found = pd.DataFrame(rows, columns=list(COLUMNS))
    found["_window"], found["_ours"] = found["window"].map(order), found["kind"] == "ours"
    found["_year"] = pd.to_numeric(found["year"], errors="coerce").fillna(9999)
    return found.sort_values(["_window", "_ours", "_year"], kind="stable")[list(COLUMNS)].reset_index(drop=True)


def _rescale(row: Mapping[str, str], protocol: Protocol, outcome: str) -> tuple[float, str]:
    scale = protocol.outcomes[outcome].scale
    said = re.search(r"\b0-(\d+)\b", f"{row.get('evidence', '')} {row.get('note', '')}")
    if scale is None or said is None or float(said[1]) == scale[1] or scale[0] != 0:
        return 1.0, ""
    return scale[1] / float(said[1]), f"rescaled from 0-{said[1]}"


def _numbers(values: list[float], measure: str) -> dict[str, object]:
    estimate, lower, upper = values
    decimals = None if scale_of(measure) == "log" else difference_decimals((upper - lower) / 2)
    # What was published without an interval has none: that is not "not estimable".
    text = number_format(decimals)(estimate) if isnan(lower) else effect_text(*values, decimals=decimals)
    return {"estimate": estimate, "ci_lower": lower, "ci_upper": upper, "text": text}


def draw_timeline(table: pd.DataFrame, protocol: Protocol, outcome: str, measure: str) -> RecordFigure:
    """Draw a timeline; raises ValueError where the table has no row."""
    if table.empty:
        raise ValueError(f"no estimate of {outcome} as {measure} to draw")
    about, of = protocol.outcomes[outcome], MEASURES[measure]
    unit = f" ({about.unit})" if about.unit and measure == "MD" else ""
    title = f"{about.label}: published estimates by time, ours last"
    head_text = f"Estimate ({level_text(protocol.level_of(outcome))} CI)"
    right_text = max(text_width(text, TEXT_SIZE) for text in table["text"])
    right_text = max(right_text, text_width(head_text, TEXT_SIZE, "bold"))
    right_level = max(text_width(str(text), TEXT_SIZE) for text in table["certainty"])
    right_level = max(right_level, text_width("Certainty", TEXT_SIZE, "bold"))
    room = style.PAGE_WIDTH - (2 * MARGIN + PANEL + 4 * GAP + right_text + right_level)
    lines = _lines(table, protocol, max(room, LEAST))
    left = MARGIN + max(text_width(x["label"], TEXT_SIZE, x["weight"]) for x in lines) + GAP
    width = left + PANEL + 2 * GAP + right_text + GAP + right_level + MARGIN
    head = MARGIN + 2 * TITLE_SIZE + ROW
    height = head + ROW * len(lines) + 58 + MARGIN
    figure = RecordFigure(figsize=(width / 72, height / 72))
    figure.title = title
    told = "; ".join(f"{_who(r)}, {r['what']}: {r['text']}" for _, r in table.iterrows())
    figure.description = f"{title}. {MEASURE_LABELS[measure]}{unit}. {told}."

    def put(x: float, y: float, text: str, size: float = TEXT_SIZE, weight: str = "normal", **how: Any) -> None:
        figure.text(
            x / width, 1 - y / height, style.symbols(text), fontproperties=font(size, weight), va="center", **how
        )

    put(MARGIN, MARGIN + TITLE_SIZE / 2, title, TITLE_SIZE, "bold", color=style.INK)
    y = head - ROW / 2
    x_text, x_level = left + PANEL + 2 * GAP + right_text, left + PANEL + 2 * GAP + right_text + GAP
    put(MARGIN, y, "Review", weight="bold", color=style.INK)
    put(x_text, y, head_text, weight="bold", color=style.INK, ha="right")
    put(x_level, y, "Certainty", weight="bold", color=style.INK)
    axes = figure.add_axes(
        (left / width, 1 - (head + ROW * len(lines)) / height, PANEL / width, ROW * len(lines) / height)
    )
    drawn = table.assign(marker="square")
    for name in ("estimate", "ci_lower", "ci_upper"):
        on_axis = analysed(table[name], of.scale)
        drawn[name] = np.where(np.isfinite(on_axis), on_axis, np.nan)
    low, high = _limits(drawn, of)
    axes.set_xlim(low, high)
    axes.set_ylim(len(lines), 0)
    axes.set_facecolor("none")
    axes.set_yticks([])
    for side in ("left", "right", "top"):
        axes.spines[side].set_visible(False)
    if of.null:
        axes.axvline(0, color=style.INK, lw=0.8, zorder=1)
    for i, line in enumerate(lines):
        put(MARGIN, head + ROW * (i + 0.5), str(line["label"]), weight=str(line["weight"]), color=style.INK)
        if line["heading"]:
            axes.axhline(i, color=RULE, lw=0.5)
        if line["row"] is None:
            continue
        put(x_text, head + ROW * (i + 0.5), str(line["text"]), ha="right", color=style.INK)
        put(x_level, head + ROW * (i + 0.5), str(line["certainty"]), color=style.INK)
        row = drawn.iloc[int(str(line["row"]))]
        ours = row["kind"] == "ours"
        colour = style.DIAMOND if ours else style.MUTED
        a, b = max(row["ci_lower"], low), min(row["ci_upper"], high)
        if not isnan(row["ci_lower"]):
            axes.add_line(Line2D([a, b], [i + 0.5, i + 0.5], color=colour, lw=1.6 if ours else 1.1))
            for end, outside, mark in ((low, row["ci_lower"] < low, "<"), (high, row["ci_upper"] > high, ">")):
                if outside:
                    axes.add_line(Line2D([end], [i + 0.5], marker=mark, ms=5, mfc=colour, mew=0, clip_on=False))
        if low <= row["estimate"] <= high:
            how = {"marker": "D" if ours else "s", "ms": 5.5 if ours else 4.5, "mfc": colour, "mew": 0}
            axes.add_line(Line2D([row["estimate"]], [i + 0.5], **how))  # type: ignore[arg-type]
    ticks, labels = _ticks(low, high, of.scale)
    axes.set_xticks(ticks, labels)
    axes.tick_params(length=3, width=0.8, labelcolor=style.INK, color=style.INK)
    for tick in axes.get_xticklabels():
        tick.set_fontproperties(font(SMALL_SIZE))
    foot = head + ROW * len(lines) + 30
    first, second = protocol.favours(outcome)
    centre = left + PANEL * (0 - low) / (high - low)
    if about.better is not None:
        put(centre - 8, foot, f"\N{LEFTWARDS ARROW} {first}", SMALL_SIZE, ha="right", color=style.MUTED)
        put(centre + 8, foot, f"{second} \N{RIGHTWARDS ARROW}", SMALL_SIZE, color=style.MUTED)
    put(left + PANEL / 2, foot + 14, f"{MEASURE_LABELS[measure]}{unit}", SMALL_SIZE, ha="center", color=style.INK)
    return figure


def _who(row: Mapping[str, object] | pd.Series) -> str:
    """Review and year, the year only once."""
    label, year = str(row["label"]), str(row["year"])
    return f"{label} {year}" if year and year not in label else label


def _lines(table: pd.DataFrame, protocol: Protocol, room: float) -> list[dict[str, Any]]:
    lines: list[dict[str, Any]] = []
    for window, group in table.groupby("window", sort=False):
        name = protocol.windows[str(window)].label or str(window) if window else OTHER_TIMES
        lines.append({"label": name, "weight": "bold", "text": "", "certainty": "", "row": None, "heading": True})
        for i, row in group.iterrows():
            weight = "bold" if row["kind"] == "ours" else "normal"
            indent = text_width("      ", TEXT_SIZE, weight)
            label = wrap(f"{_who(row)}: {row['what']}" if row["what"] else _who(row), room - indent, TEXT_SIZE, weight)
            for n, part in enumerate(label):
                told = n == 0
                lines.append(
                    {
                        "label": f"   {part}" if told else f"      {part}",
                        "weight": weight,
                        "text": row["text"] if told else "", "certainty": row["certainty"] if told else "",
                        "row": i if told else None, "heading": False,
                    }
                )  # fmt: skip
    return lines


def _limits(drawn: pd.DataFrame, of: Measure) -> tuple[float, float]:
    bounded = drawn.dropna(subset=["estimate"]).assign(clip=False, weight=1.0, kind="study")
    try:
        low, high = axis_limits(bounded, scale=of.scale, null=of.null)
    except (KeyError, ValueError):
        values = pd.concat(
            [bounded["estimate"], bounded["ci_lower"], bounded["ci_upper"], pd.Series([0.0] * of.null)]
        ).dropna()
        pad = 0.05 * (values.max() - values.min() or 1.0)
        low, high = float(values.min() - pad), float(values.max() + pad)
    return (min(low, -1e-9), max(high, 1e-9)) if of.null else (low, high)


def _ticks(low: float, high: float, scale: str) -> tuple[list[float], list[str]]:
    def fits(ticks: list[float], labels: list[str]) -> bool:
        per = PANEL / (high - low)
        wide = [text_width(label, SMALL_SIZE) for label in labels]
        ends = [(t * per - w / 2, t * per + w / 2) for t, w in zip(ticks, wide, strict=True)]
        return len(ticks) <= 9 and all(b[0] - a[1] > 5 for a, b in pairwise(ends))

    found = round_ticks(low, high, scale=scale, fits=fits)
    return found[0], found[1]
