"""The table layer: one row per comparison as reported in, one effect size with its derivation out."""

from __future__ import annotations

import numpy as np
import pandas as pd

from reweigh.effects.arms import arm_effects
from reweigh.effects.contrasts import contrast_effects
from reweigh.effects.table import LOG_REPORTED, Options, Problem, Rows, on_scales, read, scales, validate
from reweigh.effects.work import Work
from reweigh.measures import MEASURES, natural
from reweigh.quantile import z_critical

__all__ = ["Options", "Problem", "compute", "validate"]

#: The step that turns what is reported on an analysis scale back to the natural one.
FROM_SCALE = {"log": "from_log", "z": "from_z", "logit": "from_logit"}
#: Impossible values named in the message of a ValueError before it is cut.
_SHOWN_PROBLEMS = 20


def compute(
    table: pd.DataFrame, options: Options | None = None, *, checked: bool = False, trace: bool = False
) -> pd.DataFrame:
    """Effect size and variance of every row, or the reason why there is none.

    ``table`` has one row per comparison as reported, with any of `table.COLUMNS`.  The result has its index and the
    columns estimate, variance, se (analysis scale), scale (`reweigh.measures.Scale`), estimate_natural,
    ci_lower_natural, ci_upper_natural (Wald, at ``options.level``), corrected, mean1, sd1, mean2, sd2, events1, events2
    (as used), route, within (where the pairing of a crossover trial is from: "measured", "assumed" or "ignored"),
    derivation_codes, assumption_codes, flag_codes and reason_code (empty where there is an estimate);
    `reweigh.text.effects.in_words` turns codes into words.  With ``trace`` also steps: of each row a list of
    `work.Step`.  Raises ValueError with every
    impossible value, its row and column, unless ``checked`` says that `validate` has found none.
    """
    options = options or Options()
    problems = [] if checked else validate(table)
    if problems:
        shown = [str(problem) for problem in problems[:_SHOWN_PROBLEMS]]
        shown += [f"... and {len(problems) - _SHOWN_PROBLEMS} more"] * (len(problems) > _SHOWN_PROBLEMS)
        raise ValueError("\n".join([f"{len(problems)} impossible value(s):", *shown]))
    rows, _ = read(table)
    rows.traced = trace
    w = Work(rows)
    contrast = _name_contrasts(rows, w)
    for which, effects in ((~contrast, arm_effects), (contrast, contrast_effects)):
        if which.any():
            at = np.flatnonzero(which)
            w.merge(at, effects(rows.take(at), options))
    frame = _frame(table.index, rows, w, options)
    return frame.assign(steps=pd.Series(w.steps, index=table.index, dtype=object)) if trace else frame


def _name_contrasts(rows: Rows, w: Work) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Rows that report a contrast, ratios printed as logarithms turned back.

    An estimate without arm data and without a name is of the target measure.
    """
    reported = rows.words["reported_measure"]
    per_arm = ("mean1", "median1", "events1", "percent1", "discordant1")
    bare = (reported == "") & np.isnan([rows[c] for c in per_arm]).all(axis=0)
    oe = bare & ~np.isnan(rows["oe"])
    given = bare & ~oe & ~np.isnan(rows["estimate"])
    named = np.where(oe, "OE_V", np.where(given, rows.words["measure"], reported)).astype(object)
    measure = np.array([LOG_REPORTED.get(name, name) for name in named], dtype=object)
    given_on = rows.words["estimate_scale"]
    for scale, step in FROM_SCALE.items():
        of = np.isin(measure, [m.name for m in MEASURES.values() if m.scale == scale])
        turned = of & ((named != measure) | (given_on == scale))
        if not turned.any():
            continue
        for column in ("estimate", "ci_lower", "ci_upper"):
            was = rows[column]
            rows.numbers[column] = np.where(turned, natural(np.where(turned, was, 0.0), scale), was)
            there, what = turned & ~np.isnan(was), column.replace("_", " ")
            w.step(there, step, log=was, value=rows[column], measure=measure, what=what)
    rows.words["reported_measure"] = measure
    return np.asarray(measure != "", dtype=bool)


def _frame(index: pd.Index, rows: Rows, w: Work, options: Options) -> pd.DataFrame:
    lost = ~w.alive
    yi, vi = np.where(lost, np.nan, w.yi), np.where(lost, np.nan, w.vi)
    se = np.sqrt(vi)
    scale = scales(rows)
    half = z_critical(options.level) * se
    both = [on_scales(natural, v, scale) for v in (yi, yi - half, yi + half)]
    numbers = {"estimate": yi, "variance": vi, "se": se, "scale": scale}
    numbers |= dict(zip(("estimate_natural", "ci_lower_natural", "ci_upper_natural"), both, strict=True))
    words = {"route": w.route, "within": w.within, "derivation_codes": w.derivation.chains()}
    words |= {"assumption_codes": w.assumptions.chains()}
    return pd.DataFrame(
        {
            **numbers,
            "corrected": w.corrected & ~lost,
            **w.shown,
            **{name: np.where(lost, "", cells).astype(object) for name, cells in words.items()},
            "flag_codes": w.flags.chains(),
            "reason_code": w.reason,
        },
        index=index,
    )
