"""Continuous outcomes reported per arm: a mean with some measure of spread, or quantiles."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np

from reweigh.effects import conversions as conv
from reweigh.effects import crossover, measures
from reweigh.effects.conversions import Floats
from reweigh.effects.design import MEASURE_TEXT, finish, note_design, paired_rows
from reweigh.effects.measures import Bools, Pair
from reweigh.effects.notes import number, texts
from reweigh.effects.quantiles import mean_sd_by_quantile_estimation
from reweigh.effects.table import Options, Rows
from reweigh.effects.work import Work
from reweigh.measures import CONTINUOUS_MEASURES, STANDARDISED_MEASURES

FIVE_TEXT = {
    "luo-wan-shi": ("median and range", "median and quartiles", "median, quartiles and range", " (Luo 2018, {sd})"),
    "wan": ("median and range", "median and quartiles", "median, quartiles and range", " (Wan 2014)"),
    "lognormal": ("median and range", "median and quartiles", "median, quartiles and range", " (log-normal, Shi 2020)"),
    "quantile": ("median and range", "median and quartiles", "median, quartiles and range", " (McGrath 2020)"),
}


class Arm(NamedTuple):
    """Size, mean and SD of one arm, and where the SD came from (0 nothing, 1 SD, 2 SE, 3 CI, 4-6 quantiles)."""

    n: Floats
    mean: Floats
    sd: Floats
    source: np.ndarray[tuple[int], np.dtype[np.int64]]
    from_median: Bools
    skewed: Bools


def printed_changes(x: Rows) -> Bools:
    """Rows where both arms report mean and SD of the change from baseline."""
    given = [x[f"change_{c}{k}"] for k in (1, 2) for c in ("mean", "sd")]
    return np.asarray(~np.isnan(given).any(axis=0), dtype=bool)


def computed_changes(x: Rows, options: Options) -> Bools:
    """Rows where the change is computed from baseline and final values of both arms."""
    given = [x[f"baseline_{c}{k}"] for k in (1, 2) for c in ("mean", "sd")]
    known = np.asarray(~np.isnan(given).any(axis=0), dtype=bool)
    return known & ~printed_changes(x) & options.change_scores


def _arm(x: Rows, k: int, options: Options) -> Arm:
    """Arm k as reported; where both arms print the change, that is what counts."""
    changed = printed_changes(x)
    n, level = x[f"n{k}"], x["ci_level"]
    five = [x[f"{c}{k}"] for c in ("median", "q1", "q3", "min", "max")]
    scenario = np.where(n >= 5, conv.five_number_scenario(*five), 0)
    asked = (scenario > 0) & (np.isnan(x[f"mean{k}"]) | np.isnan(x[f"sd{k}"]))
    five_mean, five_sd = np.full(x.n, np.nan), np.full(x.n, np.nan)
    skewed = np.zeros(x.n, dtype=bool)
    if asked.any():
        size, median, q1, q3, low, high = (v[asked] for v in (n, *five))
        if options.median_method == "quantile":
            estimated = mean_sd_by_quantile_estimation(size, median, q1, q3, low, high)
        else:
            method = options.median_method
            estimated = conv.mean_sd_from_five_numbers(size, median, q1, q3, low, high, method)
        five_mean[asked], five_sd[asked] = estimated
        statistic, critical = conv.skewness_test(size, median, q1, q3, low, high)
        skewed[asked] = statistic >= critical
    from_median = np.isnan(x[f"mean{k}"]) & ~np.isnan(five_mean)
    from_median &= ~changed
    mean = np.where(changed, x[f"change_mean{k}"], np.where(from_median, five_mean, x[f"mean{k}"]))
    with np.errstate(invalid="ignore"):
        choices = [
            np.where(changed, x[f"change_sd{k}"], x[f"sd{k}"]),
            conv.sd_from_se(x[f"se{k}"], n),
            conv.sd_from_ci(x[f"ci_lower{k}"], x[f"ci_upper{k}"], n, level),
            five_sd,
        ]
    source = np.zeros(x.n, dtype=np.int64)
    sd = np.full(x.n, np.nan)
    for code, choice in enumerate(choices, start=1):
        take = (source == 0) & ~np.isnan(choice)
        source[take] = code + (scenario[take] - 1 if code == 4 else 0)
        sd[take] = choice[take]
    used = (source >= 4) | from_median
    return Arm(n, mean, sd, source, from_median, skewed & used)


def _source_texts(options: Options) -> dict[int, str]:
    by_range, by_quartiles, by_both, method = FIVE_TEXT[options.median_method]
    return {
        2: "SE -> SD",
        3: "CI -> SD",
        4: by_range + " -> mean, SD" + method.format(sd="Wan 2014"),
        5: by_quartiles + " -> mean, SD" + method.format(sd="Wan 2014"),
        6: by_both + " -> mean, SD" + method.format(sd="Shi 2020"),
    }


def _note_sources(w: Work, a: Arm, b: Arm, options: Options) -> None:
    for code, text in _source_texts(options).items():
        one, two = a.source == code, b.source == code
        if not (one.any() or two.any()):
            continue
        same = one & two & (a.n == b.n)
        n1, n2 = texts(a.n), texts(b.n)
        w.derivation.add(same, text + " (n=" + n1 + ")")
        w.derivation.add(one & two & ~same, text + " (n=" + n1 + ", " + n2 + ")")
        w.derivation.add(one & ~two, text + " (intervention, n=" + n1 + ")")
        w.derivation.add(two & ~one, text + " (control, n=" + n2 + ")")
    only_mean = (a.from_median & (a.source < 4)) | (b.from_median & (b.source < 4))
    w.derivation.add(only_mean, "mean estimated from quantiles")
    w.assumptions.add((a.source >= 4) | (b.source >= 4), "mean and SD estimated from quantiles")
    w.flags.add(a.skewed | b.skewed, "skewed by the test of Shi 2023: mean and SD from quantiles are doubtful")


def mean_effects(x: Rows, options: Options) -> Work:
    """MD, SMD, SMDH, Glass's delta and ratio of means from what each arm reports."""
    w = Work(x.n)
    a, b = _arm(x, 1, options), _arm(x, 2, options)
    for arm, name in ((a, "intervention"), (b, "control")):
        w.fail(np.isnan(arm.n), f"no n in the {name} arm", "n per arm")
        w.fail(np.isnan(arm.mean), f"no mean or usable median in the {name} arm", "mean and SD per arm")
        w.fail(np.isnan(arm.sd), f"no SD, SE, CI, quartiles or range in the {name} arm", "SD, SE or CI per arm")
        w.fail(arm.sd == 0, f"SD of 0 in the {name} arm", "SD with more digits")
    _note_sources(w, a, b, options)
    for k, arm in ((1, a), (2, b)):
        printed = x[f"se{k}"] * np.sqrt(arm.n)
        with np.errstate(invalid="ignore"):
            w.flags.add(np.abs(printed / x[f"sd{k}"] - 1) > 0.1, f"SD and SE of arm {k} disagree: SD taken")
    m1, s1, m2, s2 = _change(x, w, a, b, options)
    m1, s1, m2, s2 = _to_target(x, w, m1, s1, m2, s2, options)
    deff = note_design(x, w, options)
    n1, n2 = a.n / deff, b.n / deff
    paired = paired_rows(x, options)
    n = np.fmin(n1, n2)
    w.flags.add(paired & (n1 != n2), "unequal n in a crossover trial: the smaller taken")
    r = _row_correlation(x, w, paired, n, m1 - m2, s1, s2, options)
    measure = x.words["measure"]
    w.fail(paired & (measure == "SMDH"), "no paired form of SMDH", "MD or SMD instead of SMDH")
    means_ok = np.sign(m1) * np.sign(m2) > 0
    w.fail((measure == "ROM") & ~means_ok, "ratio of means needs two means of one sign", "another measure")
    df = np.where(paired, n - 1, np.where(measure == "GLASS", n2 - 1, n1 + n2 - 2))
    standardised = np.isin(measure, list(STANDARDISED_MEASURES))
    w.fail(standardised & (df <= 1), "too few patients for Hedges' J (df at most 1)", "a larger trial")
    independent: dict[str, Callable[..., Pair]] = {
        "MD": measures.md,
        "SMD": partial(measures.smd, variance=options.smd_variance),
        "SMDH": partial(measures.smdh, version=options.smdh_version),
        "GLASS": partial(measures.glass, variance=options.smd_variance),
        "ROM": measures.rom,
    }
    between = options.standardiser == "between"
    within: dict[str, Callable[..., Pair]] = {
        "MD": crossover.md,
        "SMD": crossover.smd if between else crossover.smd_difference,
        "GLASS": crossover.glass,
        "ROM": crossover.rom,
    }
    for name in CONTINUOUS_MEASURES:
        rows = (measure == name) & ~paired & w.alive
        if rows.any():
            w.put(rows, independent[name](*(v[rows] for v in (n1, m1, s1, n2, m2, s2))))
            w.derivation.add(
                rows,
                MEASURE_TEXT[name].format(smd_variance=options.smd_variance, smdh_version=options.smdh_version),
            )
        rows = (measure == name) & paired & w.alive
        if rows.any():
            w.put(rows, within[name](*(v[rows] for v in (n, m1, s1, m2, s2, r))))
            w.derivation.add(rows, _paired_text(name, between=between))
    w.shown.update(mean1=m1, sd1=s1, mean2=m2, sd2=s2)
    finish(w, np.ones(x.n, dtype=bool))
    return w


def _paired_text(name: str, *, between: bool) -> str:
    if name == "SMD" and not between:
        return "crossover SMD by the SD of differences (not comparable with parallel trials), exact J"
    return {
        "MD": "crossover MD, paired variance",
        "SMD": "crossover SMD by the between-person SD, exact J; paired variance",
        "GLASS": "crossover Glass's delta (control SD), exact J; paired variance",
        "ROM": "crossover log ratio of means, paired variance",
    }[name]


def _change(x: Rows, w: Work, a: Arm, b: Arm, options: Options) -> tuple[Floats, Floats, Floats, Floats]:
    base = [x[c] for c in ("baseline_mean1", "baseline_sd1", "baseline_mean2", "baseline_sd2")]
    printed, rows = printed_changes(x), computed_changes(x, options)
    some = np.asarray(~np.isnan(base).all(axis=0), dtype=bool)
    w.flags.add(some & ~printed & ~rows & options.change_scores, "baseline incomplete: final values taken")
    w.derivation.add(printed, "change from baseline as printed")
    standardised = np.isin(x.words["measure"], list(STANDARDISED_MEASURES))
    w.flags.add((rows | printed) & standardised, "standardised by the SD of changes")
    if not rows.any():
        return a.mean, a.sd, b.mean, b.sd
    own = ~np.isnan(x["r"]) & (x.words["design"] != "crossover")
    r = np.where(own, x["r"], options.r_baseline)
    w.derivation.add(rows, "change = final - baseline")
    w.assumptions.add(rows, "r of baseline and final = " + texts(r))
    out = []
    for arm, m0, s0 in ((a, base[0], base[1]), (b, base[2], base[3])):
        mean, sd = conv.change_score(m0, s0, arm.mean, arm.sd, r)
        out += [np.where(rows, mean, arm.mean), np.where(rows, sd, arm.sd)]
    return out[0], out[1], out[2], out[3]


def _to_target(
    x: Rows, w: Work, m1: Floats, s1: Floats, m2: Floats, s2: Floats, options: Options
) -> tuple[Floats, Floats, Floats, Floats]:
    """Means and SDs on the protocol's scale and in its direction."""
    measure = x.words["measure"]
    lo, hi, to_lo, to_hi = (x[c] for c in ("scale_min", "scale_max", "target_min", "target_max"))
    wanted = ~(np.isnan(to_lo) | np.isnan(to_hi))
    known = ~(np.isnan(lo) | np.isnan(hi))
    moved = wanted & known & ((lo != to_lo) | (hi != to_hi))
    lacks = np.isin(measure, ["MD", "ROM"]) & wanted & ~known
    w.fail(
        lacks, "scale limits not reported: the mean cannot be put on the protocol's scale", "scale minimum and maximum"
    )
    is_change = printed_changes(x) | computed_changes(x, options)
    factor = np.where(moved, (to_hi - to_lo) / np.where(moved, hi - lo, 1.0), 1.0)
    shift = np.where(moved & ~is_change, to_lo - lo * factor, 0.0)
    if moved.any():
        w.derivation.add(
            moved,
            "rescaled " + texts(lo) + " to " + texts(hi) + " -> " + texts(to_lo) + " to " + texts(to_hi),
        )
    outside = (np.fmin(m1, m2) < lo) | (np.fmax(m1, m2) > hi)
    w.flags.add(outside & ~is_change, "a mean lies outside its scale: a change score?")
    top = np.where(wanted & known, to_lo + to_hi, np.where(known, lo + hi, 0.0))
    top = np.where(is_change, 0.0, top)
    w.derivation.add(x.flip, "direction flipped")
    w.fail(
        x.flip & (measure == "ROM") & ~known, "a ratio of means cannot be flipped without scale limits", "scale limits"
    )
    out = []
    for mean, sd in ((m1, s1), (m2, s2)):
        new = mean * factor + shift
        out += [np.where(x.flip, top - new, new), sd * factor]
    return out[0], out[1], out[2], out[3]


def _row_correlation(
    x: Rows, w: Work, paired: Bools, n: Floats, difference: Floats, s1: Floats, s2: Floats, options: Options
) -> Floats:
    """r of each crossover row: its own, else the one that a paired t or exact p implies, else the protocol's."""
    if not paired.any():
        return np.full(x.n, options.r)
    exact = np.where(x.words["p_operator"] == "<", np.nan, x["p_value"])
    exact = np.where(np.isin(x.words["p_operator"], ["<=", ">", ">="]), np.nan, exact)
    t = np.where(np.isnan(x["t"]), conv.t_from_p(exact, n - 1), np.abs(x["t"]))
    with np.errstate(invalid="ignore", divide="ignore"):
        implied = conv.correlation_from_sds(s1, s2, np.abs(difference) / t * np.sqrt(n))
    tested = paired & np.isnan(x["r"]) & (x.words["paired"] != "no") & ~np.isnan(t)
    fits = tested & (np.abs(implied) < 1)
    w.flags.add(tested & ~fits, "the paired test does not fit means and SDs: r of the protocol taken")
    r = np.where(fits, implied, np.where(np.isnan(x["r"]), options.r, x["r"]))
    own = ~np.isnan(x["r"])
    w.assumptions.add(paired & ~own & ~fits, f"r = {number(options.r)}")
    if (paired & (own | fits)).any():
        w.assumptions.add(paired & own, "r = " + texts(r) + " (of this trial)")
        w.assumptions.add(fits, "r = " + texts(r) + " (from the paired test)")
    return r
