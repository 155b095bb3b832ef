"""Continuous outcomes reported per arm: a mean with some measure of spread, or quantiles."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from reweigh.effects import conversions as conv
from reweigh.effects import crossover, measures
from reweigh.effects.conversions import Floats
from reweigh.effects.design import ASSUMED, finish, note_design, paired_rows, pairing
from reweigh.effects.measures import Bools, Pair
from reweigh.effects.notes import Texts
from reweigh.effects.quantiles import mean_sd_by_quantile_estimation
from reweigh.effects.table import Options, Rows
from reweigh.effects.work import Work
from reweigh.measures import CONTINUOUS_MEASURES, STANDARDISED_MEASURES
from reweigh.quantile import t_from_p

SD, SE, CI, RANGE, QUARTILES, BOTH = range(1, 7)
Sources = np.ndarray[tuple[int], np.dtype[np.int64]]
ARMS = {1: "intervention", 2: "control"}


class Arm(NamedTuple):
    """Size, mean and SD of one arm, and where the SD came from (0 nothing, else SD to BOTH)."""

    k: int
    n: Floats
    mean: Floats
    sd: Floats
    source: Sources
    from_median: Bools
    skewed: Bools

    @property
    def name(self) -> str:
        """Which arm it is, at the beginning of a title."""
        return ARMS[self.k].capitalize()


def _whole(given: list[Floats]) -> Bools:
    return np.asarray(~np.isnan(given).any(axis=0), dtype=bool)


def printed_changes(x: Rows) -> Bools:
    """Rows where both arms report mean and SD of the change from baseline."""
    return _whole([x[f"change_{c}{k}"] for k in (1, 2) for c in ("mean", "sd")])


def computed_changes(x: Rows, options: Options) -> Bools:
    """Rows where the change is computed from baseline and final values of both arms."""
    known = _whole([x[f"baseline_{c}{k}"] for k in (1, 2) for c in ("mean", "sd")])
    return known & ~printed_changes(x) & options.change_scores


def read_arm(x: Rows, w: Work, k: int, options: Options) -> Arm:
    """Arm k as reported; where both arms print the change, that is what counts."""
    changed = printed_changes(x)
    n, level = x[f"n{k}"], x[f"ci_level{k}"]
    five = {c: x[f"{c}{k}"] for c in ("median", "q1", "q3", "min", "max")}
    scenario = np.where(n >= 5, conv.five_number_scenario(*list(five.values())[1:]), 0)
    asked = (scenario > 0) & (np.isnan(x[f"mean{k}"]) | np.isnan(x[f"sd{k}"]))
    five_mean, five_sd = np.full(x.n, np.nan), np.full(x.n, np.nan)
    skewed = np.zeros(x.n, dtype=bool)
    if asked.any():
        size, median, q1, q3, low, high = (v[asked] for v in (n, *five.values()))
        if options.median_method == "quantile":
            estimated = mean_sd_by_quantile_estimation(size, median, q1, q3, low, high)
        else:
            estimated = conv.mean_sd_from_five_numbers(size, median, q1, q3, low, high, options.median_method)
        five_mean[asked], five_sd[asked] = estimated
        statistic, critical = conv.skewness_test(size, median, q1, q3, low, high)
        skewed[asked] = statistic >= critical
    from_median = np.isnan(x[f"mean{k}"]) & ~np.isnan(five_mean) & ~changed
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
    for code, choice in enumerate(choices, start=SD):
        take = (source == 0) & ~np.isnan(choice)
        source[take] = code + (scenario[take] - 1 if code == RANGE else 0)
        sd[take] = choice[take]
    used = (source >= RANGE) | from_median
    arm = Arm(k, n, mean, sd, source, from_median, skewed & used)
    if w.traced:
        _trace_quantiles(w, arm, used, scenario, {**five, "mean": five_mean, "sd": five_sd}, options)
        _trace_arm(x, w, arm, changed)
    return arm


def _trace_quantiles(
    w: Work, arm: Arm, used: Bools, scenario: Sources, given: dict[str, Floats], options: Options
) -> None:
    numbers: dict[str, Any] = {"arm": arm.name, "n": arm.n, **given}
    if options.median_method == "luo-wan-shi":
        numbers |= conv.five_number_constants(arm.n)
        for code, name in ((1, "luo_range"), (2, "luo_quartiles"), (3, "luo_both")):
            w.step(used & (scenario == code), name, **numbers)
        return
    source = {"wan": "Wan 2014", "lognormal": "Shi 2020b", "quantile": "McGrath 2020"}[options.median_method]
    how = "nearest quantiles (least squares)" if options.median_method == "quantile" else options.median_method
    for code, name in ((1, "programmed_range"), (2, "programmed_quartiles"), (3, "programmed_both")):
        w.step(used & (scenario == code), name, **numbers, how=how, source=source)


def _trace_arm(x: Rows, w: Work, arm: Arm, changed: Bools) -> None:
    k, n = arm.k, arm.n
    read: dict[str, Any] = {"arm": arm.name, "n": n, "mean": arm.mean, "sd": arm.sd}
    w.step(changed, "change_as_printed", **read)
    w.step(~changed & (arm.source == SD), "mean_sd", **read)
    w.step(arm.source == SE, "se_to_sd", **read, se=x[f"se{k}"])
    by_t = n <= conv.T_MAX_N
    for rows, name in ((by_t, "ci_to_sd_t"), (~by_t, "ci_to_sd_z")):
        quantile = conv.mean_ci_quantile(n, x[f"ci_level{k}"])
        limits = {"low": x[f"ci_lower{k}"], "high": x[f"ci_upper{k}"], "level": 100 * x[f"ci_level{k}"]}
        w.step(rows & (arm.source == CI), name, **read, **limits, quantile=quantile)


def note_spread(w: Work, arm: Arm, rows: Bools, options: Options) -> None:
    """Record how the mean and the SD of a single arm came about."""
    for source in range(SE, BOTH + 1):
        name, said = _source(source, options)
        w.derivation.add(rows & (arm.source == source), name, **said, n=arm.n)
    w.derivation.add(rows & arm.from_median & (arm.source < RANGE), "mean_from_quantiles")
    w.assumptions.add(rows & (arm.source >= RANGE), "estimated_from_quantiles")
    w.flags.add(rows & arm.skewed, "skewed")


def _source(source: int, options: Options) -> tuple[str, dict[str, str]]:
    """Name and parameters of the code that says where an SD came from."""
    if source < RANGE:
        return {SE: "se_to_sd", CI: "ci_to_sd"}[source], {}
    given = {RANGE: "range", QUARTILES: "quartiles", BOTH: "both"}[source]
    return "quantiles_to_mean", {"given": given, "method": options.median_method}


def _note_sources(w: Work, a: Arm, b: Arm, options: Options) -> None:
    for source in range(SE, BOTH + 1):
        name, said = _source(source, options)
        one, two = a.source == source, b.source == source
        same = one & two & (a.n == b.n)
        w.derivation.add(same, name, **said, n=a.n)
        w.derivation.add(one & two & ~same, name, **said, n1=a.n, n2=b.n)
        w.derivation.add(one & ~two, name, **said, arm=ARMS[1], n=a.n)
        w.derivation.add(two & ~one, name, **said, arm=ARMS[2], n=b.n)
    only_mean = (a.from_median & (a.source < RANGE)) | (b.from_median & (b.source < RANGE))
    w.derivation.add(only_mean, "mean_from_quantiles")
    w.assumptions.add((a.source >= RANGE) | (b.source >= RANGE), "estimated_from_quantiles")
    w.flags.add(a.skewed | b.skewed, "skewed")


def mean_effects(x: Rows, options: Options) -> Work:
    """MD, SMD, SMDH, Glass's delta and ratio of means from what each arm reports."""
    w = Work(x)
    a, b = read_arm(x, w, 1, options), read_arm(x, w, 2, options)
    for arm in (a, b):
        for name, value in (("no_n", arm.n), ("no_mean", arm.mean), ("no_spread", arm.sd)):
            w.fail(np.isnan(value), name, arm=ARMS[arm.k])
        w.fail(arm.sd == 0, "zero_sd", arm=ARMS[arm.k])
    _note_sources(w, a, b, options)
    for arm in (a, b):
        with np.errstate(invalid="ignore"):
            off = np.abs(x[f"se{arm.k}"] * np.sqrt(arm.n) / x[f"sd{arm.k}"] - 1) > 0.1
        w.flags.add(off, "sd_and_se_disagree", arm=arm.k)
    m1, s1, m2, s2 = _to_target(x, w, *_change(x, w, a, b, options), options)
    deff = note_design(x, w, options)
    n1, n2 = a.n / deff, b.n / deff
    paired = paired_rows(x, options)
    n = np.fmin(n1, n2)
    w.flags.add(paired & (n1 != n2), "unequal_n_crossover")
    r, origin = _row_correlation(x, w, paired, n, m1 - m2, s1, s2, options)
    w.within = pairing(x, paired & (origin != ASSUMED), paired & (origin == ASSUMED))
    measure = x.words["measure"]
    w.fail(paired & (measure == "SMDH"), "no_paired_smdh")
    # A mean that is 0 but for rounding has no ratio.
    means_ok = (np.sign(m1) * np.sign(m2) > 0) & (np.abs(m1) > 1e-12 * s1) & (np.abs(m2) > 1e-12 * s2)
    w.fail((measure == "ROM") & ~means_ok, "rom_signs")
    df = np.where(paired, n - 1, np.where(measure == "GLASS", n2 - 1, n1 + n2 - 2))
    standardised = np.isin(measure, list(STANDARDISED_MEASURES))
    w.fail(standardised & (df <= 1), "too_few")
    # RevMan has no Glass's delta: the large-sample variance stands in.
    glass_variance = "LS" if options.smd_variance == "RevMan" else options.smd_variance
    independent: dict[str, Callable[..., Pair]] = {
        "MD": partial(measures.md, variance=options.md_variance),
        "SMD": partial(measures.smd, variance=options.smd_variance),
        "SMDH": partial(measures.smdh, version=options.smdh_version),
        "GLASS": partial(measures.glass, variance=glass_variance),
        "ROM": measures.rom,
    }
    name_of = {
        "MD": "MD pooled" if options.md_variance == "pooled" else "MD",
        "SMD": "SMD RevMan" if options.smd_variance == "RevMan" else "SMD",
    }
    said: dict[str, dict[str, str]] = {"SMD": {"variance": options.smd_variance}, "GLASS": {"variance": glass_variance}}
    said["SMDH"] = {"version": options.smdh_version}
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
            w.derivation.add(rows, "measure", kind=name_of.get(name, name), **said.get(name, {}))
        rows = (measure == name) & paired & w.alive
        if rows.any():
            w.put(rows, within[name](*(v[rows] for v in (n, m1, s1, m2, s2, r))))
            w.derivation.add(rows, "measure", kind=_paired_name(name, between=between))
    w.shown.update(mean1=m1, sd1=s1, mean2=m2, sd2=s2)
    finish(w, np.ones(x.n, dtype=bool))
    if w.traced:
        numbers = {"n1": n1, "m1": m1, "s1": s1, "n2": n2, "m2": m2, "s2": s2, "df": df}
        _trace_independent(w, ~paired & w.alive, name_of, glass_variance, options, numbers)
        _trace_paired(w, measure, paired & w.alive, between, numbers | {"n": n, "r": r, "origin": origin})
    return w


def _paired_name(name: str, *, between: bool) -> str:
    return f"crossover {name}" + ("" if between or name != "SMD" else " difference")


def _trace_independent(
    w: Work, rows: Bools, name_of: dict[str, str], glass_variance: str, options: Options, numbers: dict[str, Floats]
) -> None:
    """Record estimate and variance of two independent groups."""
    measure = w.x.words["measure"]
    n1, s1, n2, s2 = (numbers[name] for name in ("n1", "s1", "n2", "s2"))
    pooled = measures.pooled_sd(n1, s1, n2, s2)
    sd = np.select([measure == "SMD", measure == "SMDH"], [pooled, np.sqrt((s1**2 + s2**2) / 2)], s2)
    with np.errstate(invalid="ignore", divide="ignore"):
        d = (numbers["m1"] - numbers["m2"]) / sd
    for name in CONTINUOUS_MEASURES:
        said = {"yi": w.yi, "g": w.yi, "vi": w.vi, "sp": pooled, "sd": sd, "d": d, "total": n1 + n2} | numbers
        said |= measures.factor(numbers["df"], exact=name_of.get(name) != "SMD RevMan")
        of = rows & (measure == name)
        w.step(of, name_of.get(name, name), **said)
        if name == "SMDH":
            factor = said["j"] ** 2 if options.smdh_version == "3.8" else np.ones(w.n)
            said |= {"fourth": s1**4 / (n1 - 1) + s2**4 / (n2 - 1), "second": s1**2 / (n1 - 1) + s2**2 / (n2 - 1)}
            w.step(of, "smdh_variance", **said, factor=factor, v=w.vi / factor, version=options.smdh_version)
        elif name == "GLASS":
            w.step(of, f"smd_variance_{glass_variance}", **(said | {"total": n2}))
        elif name == "SMD":
            w.step(of, f"smd_variance_{options.smd_variance}", **said)


def _trace_paired(w: Work, measure: Texts, rows: Bools, between: bool, numbers: dict[str, Floats | Texts]) -> None:
    """Record estimate and variance of crossover trials."""
    n, r, m1, s1, m2, s2 = (np.asarray(numbers[k], dtype=np.float64) for k in ("n", "r", "m1", "s1", "m2", "s2"))
    by = np.sqrt((s1**2 + s2**2) / 2) if between else np.sqrt(s1**2 + s2**2 - 2 * r * s1 * s2)
    said = numbers | measures.factor(n - 1) | {"md": m1 - m2}
    said |= {"yi": w.yi, "g": w.yi, "vi": w.vi, "sd": np.where(measure == "GLASS", s2, by)}
    for name in ("MD", "SMD", "GLASS", "ROM"):
        w.step(rows & (measure == name), _paired_name(name, between=between), **said)


def _change(x: Rows, w: Work, a: Arm, b: Arm, options: Options) -> tuple[Floats, Floats, Floats, Floats]:
    base = [x[c] for c in ("baseline_mean1", "baseline_sd1", "baseline_mean2", "baseline_sd2")]
    printed, rows = printed_changes(x), computed_changes(x, options)
    some = np.asarray(~np.isnan(base).all(axis=0), dtype=bool)
    w.flags.add(some & ~printed & ~rows & options.change_scores, "baseline_incomplete")
    w.derivation.add(printed, "change_printed")
    standardised = np.isin(x.words["measure"], list(STANDARDISED_MEASURES))
    w.flags.add((rows | printed) & standardised, "sd_of_changes")
    if not rows.any():
        return a.mean, a.sd, b.mean, b.sd
    own = ~np.isnan(x["r"]) & (x.words["design"] != "crossover")
    r = np.where(own, x["r"], options.r_baseline)
    w.derivation.add(rows, "change_computed")
    w.assumptions.add(rows, "r_baseline", value=r)
    out = []
    for arm, m0, s0 in ((a, base[0], base[1]), (b, base[2], base[3])):
        mean, sd = conv.change_score(m0, s0, arm.mean, arm.sd, r)
        w.step(rows, "change_computed", arm=arm.name, mean=arm.mean, sd=arm.sd, m0=m0, s0=s0, r=r, m=mean, s=sd)
        out += [np.where(rows, mean, arm.mean), np.where(rows, sd, arm.sd)]
    return out[0], out[1], out[2], out[3]


def _to_target(
    x: Rows, w: Work, m1: Floats, s1: Floats, m2: Floats, s2: Floats, options: Options
) -> tuple[Floats, Floats, Floats, Floats]:
    """Means and SDs on one scale, that of the protocol where it names one, and in its direction.

    Each arm is on its own scale where it has one. Where the protocol names none, arms on two scales are put on the
    control's, which standardised measures do not feel; a mean difference then has no scale to stand on.
    """
    measure = x.words["measure"]
    ends = [
        [np.where(np.isnan(own := x[f"scale_{end}{k}"]), x[f"scale_{end}"], own) for end in ("min", "max")]
        for k in (1, 2)
    ]
    (low1, high1), (low2, high2) = ends
    apart = (low1 != low2) | (high1 != high2)
    apart &= ~np.isnan(low1 + high1 + low2 + high2)
    wanted = ~np.isnan(x["target_min"] + x["target_max"])
    known = ~np.isnan(low1 + high1) & ~np.isnan(low2 + high2)
    w.fail(np.isin(measure, ["MD", "ROM"]) & wanted & ~known, "no_scale")
    w.fail((measure == "MD") & apart & ~wanted, "scales_differ")
    w.fail((measure == "ROM") & apart & ~wanted & ((low1 != 0) | (low2 != 0)), "rom_scale")
    to_low = np.where(wanted, x["target_min"], np.where(apart, low2, low1))
    to_high = np.where(wanted, x["target_max"], np.where(apart, high2, high1))
    is_change = printed_changes(x) | computed_changes(x, options)
    outside = np.zeros(x.n, dtype=bool)
    for mean, (low, high) in zip((m1, m2), ends, strict=True):
        outside |= (mean < low) | (mean > high)
    w.flags.add(outside & ~is_change, "mean_outside_scale")
    top = np.where(is_change | ~known, 0.0, to_low + to_high)
    w.fail(x.flip & (measure == "ROM") & ~known, "rom_flip")
    moved = [known & ((low != to_low) | (high != to_high)) for low, high in ends]
    limits = {"to_low": to_low, "to_high": to_high}
    both = moved[0] & moved[1] & ~apart
    w.derivation.add(both, "rescaled", low=low1, high=high1, **limits)
    out = []
    for k, mean, sd, (low, high), moves in zip((1, 2), (m1, m2), (s1, s2), ends, moved, strict=True):
        w.derivation.add(moves & ~both, "rescaled_arm", low=low, high=high, **limits, arm=ARMS[k])
        factor = np.where(moves, (to_high - to_low) / np.where(moves, high - low, 1.0), 1.0)
        shift = np.where(moves & ~is_change, to_low - low * factor, 0.0)
        m, s = mean * factor + shift, sd * factor
        said: dict[str, Any] = {"arm": ARMS[k].capitalize(), "low": low, "high": high, "factor": factor, **limits}
        said |= {"mean": mean, "sd": sd}
        w.step(moves & ~is_change, "rescaled", **said, m=m, s=s)
        w.step(moves & is_change, "rescaled_change", **said, m=m, s=s)
        w.step(x.flip, "flipped", arm=ARMS[k].capitalize(), top=top, mean=m, m=top - m)
        out += [np.where(x.flip, top - m, m), s]
    w.derivation.add(x.flip, "direction_flipped")
    return out[0], out[1], out[2], out[3]


def _row_correlation(
    x: Rows, w: Work, paired: Bools, n: Floats, difference: Floats, s1: Floats, s2: Floats, options: Options
) -> tuple[Floats, Texts]:
    """r of each crossover row, and where from: its own, else that of a paired t or exact p, else the protocol's."""
    if not paired.any():
        return np.full(x.n, options.r), np.full(x.n, "", dtype=object)
    exact = np.where(np.isin(x.words["p_operator"], ["", "="]), x["p_value"], np.nan)
    t = np.where(np.isnan(x["t"]), t_from_p(exact, n - 1), np.abs(x["t"]))
    with np.errstate(invalid="ignore", divide="ignore"):
        sdd = np.abs(difference) / t * np.sqrt(n)
        implied = conv.correlation_from_sds(s1, s2, sdd)
    tested = paired & np.isnan(x["r"]) & (x.words["paired"] != "no") & ~np.isnan(t)
    fits = tested & (np.abs(implied) < 1)
    w.flags.add(tested & ~fits, "paired_test_misfit")
    own = ~np.isnan(x["r"])
    r = np.where(fits, implied, np.where(own, x["r"], options.r))
    w.assumptions.add(paired & ~own & ~fits, "r", value=options.r)
    w.assumptions.add(paired & own, "r", value=r, of="trial")
    w.assumptions.add(fits, "r", value=r, of="test")
    w.step(fits, "r_from_test", md=np.abs(difference), n=n, t=t, sdd=sdd, s1=s1, s2=s2, r=r)
    origin = np.select([fits, own], ["from the paired test", "given for this trial"], ASSUMED)
    return r, origin
