"""Effect sizes from what is reported per arm: means with some measure of spread, counts, events and person-time."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np

from reweigh.effects import conversions as conv
from reweigh.effects import crossover, measures
from reweigh.effects.conversions import Floats
from reweigh.effects.measures import BINARY_MEASURES, CONTINUOUS_MEASURES, RATE_MEASURES, Bools, Pair
from reweigh.effects.notes import number, texts
from reweigh.effects.quantiles import mean_sd_by_quantile_estimation
from reweigh.effects.table import Options, Rows
from reweigh.effects.work import Work

MEASURE_TEXT = {
    "MD": "MD",
    "SMD": "SMD, exact J; {smd_variance} variance",
    "SMDH": "SMDH, exact J; variance as metafor {smdh_version}",
    "GLASS": "Glass's delta (control SD), exact J; {smd_variance} variance",
    "ROM": "log ratio of means, not bias-corrected",
    "RR": "log RR",
    "OR": "log OR",
    "RD": "RD",
    "PETO": "Peto log OR",
    "AS": "arcsine difference",
    "IRR": "log IRR",
    "IRD": "IRD",
    "COR-OR": "conditional log OR of discordant pairs",
}
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


def arm_effects(x: Rows, options: Options) -> Work:
    """Effects of rows that report arms; every row ends with an effect or a reason."""
    w = Work(x.n)
    measure = x.words["measure"]
    pairs = ~(np.isnan(x["discordant1"]) | np.isnan(x["discordant2"]))
    conditional = (measure == "COR-OR") | ((measure == "OR") & (x.words["design"] == "crossover") & pairs)
    if options.crossover == "as_independent":
        conditional &= measure == "COR-OR"
    _conditional(x, w, options, conditional)
    continuous = np.isin(measure, list(CONTINUOUS_MEASURES))
    binary = np.isin(measure, list(BINARY_MEASURES)) & ~conditional
    rates = np.isin(measure, list(RATE_MEASURES))
    for rows, work in ((continuous, _continuous), (binary, _binary), (rates, _rates)):
        if rows.any():
            at = np.flatnonzero(rows)
            w.merge(at, work(x.take(at), options))
    w.route[:] = "arms"
    w.fail(
        ~(continuous | binary | rates | conditional),
        "no effect of this measure from arm data",
        "the effect with its CI",
    )
    return w


# --- design --------------------------------------------------------------------------------------------------


def paired_rows(x: Rows, options: Options) -> Bools:
    """Crossover trials that the options want analysed as such."""
    return np.asarray((x.words["design"] == "crossover") & (options.crossover == "paired"), dtype=bool)


def note_design(x: Rows, w: Work, options: Options) -> Floats:
    """Flags of the design, and the design effect of each row (1 unless a cluster trial)."""
    design = x.words["design"]
    if options.crossover == "as_independent":
        w.flags.add(design == "crossover", "crossover trial as if two independent groups")
    w.flags.add(design == "first_period", "first period of a crossover trial only")
    cluster = np.asarray(design == "cluster", dtype=bool)
    known = cluster & ~np.isnan(x["icc"]) & ~np.isnan(x["cluster_size"])
    w.fail(cluster & ~known, "cluster trial without ICC and mean cluster size", "ICC and mean cluster size")
    effect = np.where(known, conv.design_effect(x["icc"], x["cluster_size"]), 1.0)
    if known.any():
        w.derivation.add(
            known,
            "n / design effect "
            + texts(effect)
            + " (ICC "
            + texts(x["icc"])
            + ", m = "
            + texts(x["cluster_size"])
            + ")",
        )
    return effect


def correlation(x: Rows, w: Work, rows: Bools, column: str, default: float) -> Floats:
    """The row's own correlation, else the protocol's, with the assumption noted."""
    own = ~np.isnan(x[column])
    value = np.where(own, x[column], default)
    w.assumptions.add(rows & ~own, f"{column} = {number(default)}")
    if (rows & own).any():
        w.assumptions.add(rows & own, f"{column} = " + texts(value) + " (of this trial)")
    return value


def finish(w: Work, rows: Bools) -> None:
    """No NaN without a reason."""
    bad = rows & ~(np.isfinite(w.yi) & np.isfinite(w.vi) & (w.vi > 0))
    w.fail(bad, "estimate or variance not computable from the numbers given", "effect with SE or CI")


# --- continuous ----------------------------------------------------------------------------------------------


def _arm(x: Rows, k: int, options: Options) -> Arm:
    n, level = x[f"n{k}"], x["ci_level"]
    five = [x[f"{c}{k}"] for c in ("median", "q1", "q3", "min", "max")]
    scenario = np.where(n >= 5, conv.five_number_scenario(*five), 0)
    asked = (scenario > 0) & (np.isnan(x[f"mean{k}"]) | np.isnan(x[f"sd{k}"]))
    five_mean, five_sd = np.full(x.n, np.nan), np.full(x.n, np.nan)
    skewed = np.zeros(x.n, dtype=bool)
    if asked.any():
        chosen = [v[asked] for v in five]
        if options.median_method == "quantile":
            five_mean[asked], five_sd[asked] = mean_sd_by_quantile_estimation(n[asked], *chosen)
        else:
            five_mean[asked], five_sd[asked] = conv.mean_sd_from_five_numbers(
                n[asked], *chosen, method=options.median_method
            )
        statistic, critical = conv.skewness_test(n[asked], *chosen)
        skewed[asked] = statistic >= critical
    from_median = np.isnan(x[f"mean{k}"]) & ~np.isnan(five_mean)
    mean = np.where(from_median, five_mean, x[f"mean{k}"])
    with np.errstate(invalid="ignore"):
        choices = [
            x[f"sd{k}"],
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
    w.assumptions.add((a.source >= 4) | (b.source >= 4), "mean and SD estimated from quantiles")
    w.flags.add(a.skewed | b.skewed, "skewed by the test of Shi 2023: mean and SD from quantiles are doubtful")


def _continuous(x: Rows, options: Options) -> Work:
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
    m1, s1, m2, s2 = _to_target(x, w, m1, s1, m2, s2)
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
    standardised = np.isin(measure, ["SMD", "SMDH", "GLASS"])
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
    given = ~np.isnan(base)
    rows: Bools = np.asarray(given.all(axis=0))
    w.flags.add(np.asarray(given.any(axis=0)) & ~rows, "baseline incomplete: final values taken")
    if not rows.any():
        return a.mean, a.sd, b.mean, b.sd
    own = ~np.isnan(x["r"]) & (x.words["design"] != "crossover")
    r = np.where(own, x["r"], options.r_baseline)
    w.derivation.add(rows, "change = final - baseline")
    w.assumptions.add(rows, "r of baseline and final = " + texts(r))
    w.flags.add(rows & np.isin(x.words["measure"], ["SMD", "SMDH", "GLASS"]), "standardised by the SD of changes")
    out = []
    for arm, m0, s0 in ((a, base[0], base[1]), (b, base[2], base[3])):
        mean, sd = conv.change_score(m0, s0, arm.mean, arm.sd, r)
        out += [np.where(rows, mean, arm.mean), np.where(rows, sd, arm.sd)]
    return out[0], out[1], out[2], out[3]


def _to_target(
    x: Rows, w: Work, m1: Floats, s1: Floats, m2: Floats, s2: Floats
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
    is_change = ~np.isnan([x[c] for c in ("baseline_mean1", "baseline_sd1", "baseline_mean2", "baseline_sd2")]).any(
        axis=0
    )
    factor = np.where(moved, (to_hi - to_lo) / np.where(moved, hi - lo, 1.0), 1.0)
    shift = np.where(moved & ~is_change, to_lo - lo * factor, 0.0)
    if moved.any():
        w.derivation.add(
            moved,
            "rescaled " + texts(lo) + " to " + texts(hi) + " -> " + texts(to_lo) + " to " + texts(to_hi),
        )
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


# --- binary --------------------------------------------------------------------------------------------------


def _events(x: Rows, w: Work, k: int) -> Floats:
    events, percent, n = x[f"events{k}"], x[f"percent{k}"], x[f"n{k}"]
    derived = np.isnan(events) & ~np.isnan(percent) & ~np.isnan(n)
    count, fits = conv.events_from_percent(percent, n)
    if derived.any():
        w.derivation.add(derived, texts(percent) + "% of " + texts(n) + " -> " + texts(count) + " events")
        exact = percent * n / 100
        w.flags.add(
            derived & ~fits,
            texts(percent) + "% of " + texts(n) + " is " + texts(exact, lambda v: f"{v:.2f}") + ", no whole count",
        )
        w.flags.add(derived & fits, "events from a percentage")
    return np.where(derived, count, events)


def _binary(x: Rows, options: Options) -> Work:
    w = Work(x.n)
    measure = x.words["measure"]
    n1, n2 = x["n1"], x["n2"]
    for n, name in ((n1, "intervention"), (n2, "control")):
        w.fail(np.isnan(n), f"no n in the {name} arm", "n per arm")
    e1, e2 = _events(x, w, 1), _events(x, w, 2)
    for e, name in ((e1, "intervention"), (e2, "control")):
        w.fail(np.isnan(e), f"no events or percentage in the {name} arm", "events per arm")
    w.derivation.add(x.flip, "events and non-events exchanged")
    e1, e2 = np.where(x.flip, n1 - e1, e1), np.where(x.flip, n2 - e2, e2)
    w.shown.update(events1=e1, events2=e2)
    deff = note_design(x, w, options)
    e1, n1, e2, n2 = e1 / deff, n1 / deff, e2 / deff, n2 / deff
    zero = measures.double_zero(e1, n1, e2, n2) & np.isin(measure, ["RR", "OR", "PETO"])
    w.fail(
        zero & (e1 == 0),
        "no events in either arm: no information on a ratio",
        "nothing; the risk difference can use it",
    )
    w.fail(
        zero,
        "all patients had the event in both arms: no information on a ratio",
        "nothing; the risk difference can use it",
    )
    paired = paired_rows(x, options)
    w.fail(paired & (measure == "PETO"), "no paired form of the Peto OR", "OR instead, or discordant pairs")
    phi = _phi(x, w, paired, e1, n1, e2, n2, options)
    for name in BINARY_MEASURES:
        of = (measure == name) & w.alive
        if not of.any():
            continue
        c1, m1, c2, m2, corrected = measures.correct_zero_cells(
            name, e1[of], n1[of], e2[of], n2[of], options.zero_cells, options.correction
        )
        w.corrected[of] = corrected
        alone = ~paired[of]
        yi, vi = np.full(c1.shape, np.nan), np.full(c1.shape, np.nan)
        independent = {
            "RR": measures.rr,
            "OR": measures.odds_ratio,
            "RD": measures.rd,
            "PETO": measures.peto,
            "AS": measures.arcsine,
        }[name]
        if alone.any():
            yi[alone], vi[alone] = independent(c1[alone], m1[alone], c2[alone], m2[alone])
        both = paired[of]
        if both.any():
            low, high = crossover.phi_limits(c1[both] / m1[both], c2[both] / m2[both])
            asked = phi[of][both]
            used = np.clip(asked, low, high)
            yi[both], vi[both] = crossover.binary(name, c1[both], m1[both], c2[both], m2[both], used)
            capped = np.zeros(x.n, dtype=bool)
            full = np.full(x.n, np.nan)
            at = np.flatnonzero(of)[both]
            capped[at], full[at] = np.abs(used - asked) > 1e-12, used
            w.flags.add(capped, "phi capped at " + texts(full) + ", all that the margins allow")
            w.derivation.add(at_mask(x.n, at), "crossover, marginal method with phi")
        w.put(of, (yi, vi))
        w.derivation.add(of, MEASURE_TEXT[name])
    amount = (
        f"{number(options.correction)} to each cell" if options.zero_cells != "tacc" else "treatment-arm correction"
    )
    w.derivation.add(w.corrected, f"zero cell: {amount}" if options.zero_cells != "all" else amount)
    finish(w, np.ones(x.n, dtype=bool))
    return w


def at_mask(n: int, at: np.ndarray[tuple[int], np.dtype[np.intp]]) -> Bools:
    """Boolean mask of length n from positions."""
    mask = np.zeros(n, dtype=bool)
    mask[at] = True
    return mask


def _phi(x: Rows, w: Work, paired: Bools, e1: Floats, n1: Floats, e2: Floats, n2: Floats, options: Options) -> Floats:
    """phi of each crossover row: of its discordant pairs, else its own, else the protocol's."""
    b = np.where(x.flip, x["discordant2"], x["discordant1"])
    known = crossover.phi_from_discordant(e1, e2, n1, b)
    pairs = paired & (n1 == n2) & np.isfinite(known)
    own = ~np.isnan(x["phi"])
    phi = np.where(pairs, known, np.where(own, x["phi"], options.phi))
    w.assumptions.add(paired & ~pairs & ~own, f"phi = {number(options.phi)}")
    if (paired & (own | pairs)).any():
        w.assumptions.add(paired & own & ~pairs, "phi = " + texts(phi) + " (of this trial)")
        w.derivation.add(pairs, "phi = " + texts(phi) + " from the discordant pairs")
    return phi


def _conditional(x: Rows, w: Work, options: Options, rows: Bools) -> None:
    if not rows.any():
        return
    b = np.where(x.flip, x["discordant2"], x["discordant1"])
    c = np.where(x.flip, x["discordant1"], x["discordant2"])
    w.fail(rows & np.isnan(b + c), "discordant pairs not reported", "numbers of discordant pairs")
    w.fail(rows & (b == 0) & (c == 0), "no discordant pair: no information on a ratio", "nothing")
    zero = rows & ((b == 0) | (c == 0))
    if options.zero_cells == "none":
        zero[:] = False
    elif options.zero_cells == "all":
        zero = rows & w.alive
    b, c = b + options.correction * zero, c + options.correction * zero
    ok = rows & w.alive
    w.put(ok, measures.conditional_or(b[ok], c[ok]))
    w.corrected |= ok & zero
    w.derivation.add(ok, MEASURE_TEXT["COR-OR"])
    w.derivation.add(ok & zero, f"zero cell: {number(options.correction)} to each count of pairs")
    w.flags.add(ok & (x.words["measure"] == "OR"), "conditional OR beside marginal ORs")
    w.shown["events1"][rows], w.shown["events2"][rows] = x["events1"][rows], x["events2"][rows]
    finish(w, rows)


# --- rates ---------------------------------------------------------------------------------------------------


def _rates(x: Rows, options: Options) -> Work:
    w = Work(x.n)
    measure = x.words["measure"]
    e1, e2, t1, t2 = x["events1"], x["events2"], x["time1"], x["time2"]
    w.fail(np.isnan(e1 + e2), "no number of events per arm", "events per arm")
    w.fail(np.isnan(t1 + t2), "no person-time per arm", "person-time per arm")
    w.fail((measure == "IRR") & (e1 == 0) & (e2 == 0), "no events in either arm: no information on a ratio", "nothing")
    w.fail(paired_rows(x, options), "no paired form of a rate comparison", "rate ratio with CI")
    w.shown.update(events1=e1, events2=e2)
    deff = note_design(x, w, options)
    e1, e2, t1, t2 = e1 / deff, e2 / deff, t1 / deff, t2 / deff
    c1, c2, corrected = measures.correct_zero_rates(e1, t1, e2, t2, options.zero_cells, options.correction)
    for name, formula in (("IRR", measures.irr), ("IRD", measures.ird)):
        rows = (measure == name) & w.alive
        w.put(rows, formula(c1[rows], t1[rows], c2[rows], t2[rows]))
        w.derivation.add(rows, MEASURE_TEXT[name])
    w.corrected = corrected & w.alive
    w.derivation.add(w.corrected, f"no events: {number(options.correction)} to each count")
    finish(w, np.ones(x.n, dtype=bool))
    return w
