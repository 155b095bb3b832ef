"""Effect sizes from what is reported between arms: an estimate with SE, CI or p, a test, O - E and V."""

from __future__ import annotations

import numpy as np

from reweigh.effects import conversions as conv
from reweigh.effects import crossover, measures
from reweigh.effects.conversions import Floats
from reweigh.effects.design import correlation, finish
from reweigh.effects.measures import Bools
from reweigh.effects.notes import Texts, texts
from reweigh.effects.table import Options, Rows
from reweigh.effects.work import Work
from reweigh.measures import RATIO_MEASURES

#: Reported measures that can become each target, besides the target itself.
CONVERTIBLE = {"SMD": ("SMD_paired", "MD", "p_only"), "HR": ("OE_V",), "PETO": ("OE_V",)}
#: Half-widths by which an estimate may miss the middle of its CI before it is flagged (rounding stays below).
ASYMMETRY = 0.15
#: Difference in z or t between a printed p-value and estimate/SE above which they are flagged as contradictory.
DISAGREEMENT = 0.5

NONE, PRINTED, CI, LIMIT, T, F, Z, P, FROM_N = range(9)
TESTS = [T, F, Z, P]


def contrast_effects(x: Rows, options: Options) -> Work:
    """Effects of rows that report a contrast; every row ends with an effect or a reason."""
    w = Work(x.n)
    target, reported, design = x.words["measure"], x.words["reported_measure"], x.words["design"]
    _compatible(w, target, reported)
    w.flags.add(design == "first_period", "first period of a crossover trial only")
    crossed, oe = design == "crossover", reported == "OE_V"
    to_smd = (target == "SMD") & np.isin(reported, ["p_only", "MD"])
    nothing = np.isnan(x["estimate"]) & np.isnan(x["ci_lower"] + x["ci_upper"])
    p_only = (reported == "p_only") | (to_smd & nothing)
    paired = (x.words["paired"] == "yes") | ((x.words["paired"] == "") & crossed)
    w.flags.add(crossed & (x.words["paired"] == "") & ~oe, "paired analysis presumed (crossover trial)")
    if options.crossover == "as_independent":
        w.flags.add(crossed & p_only, "crossover trial as if two independent groups")
        w.flags.add(crossed & ~p_only, "paired estimate kept as printed: it cannot be unpaired")
        paired &= ~(crossed & p_only)
    deff = _design_effect(x, w)
    _o_minus_e(x, w, oe)
    estimate = _estimate(x, w, ~oe & ~p_only)
    se, source = _standard_error(x, w, estimate, ~oe & ~p_only, paired, options)
    plain = ~oe & ~to_smd & w.alive
    factor = _unpaired_factor(x, w, plain & (reported == "SMD_paired"), options) * _scale(x, w, plain)
    w.put(plain, (estimate[plain] * factor[plain], deff[plain] * (se * factor)[plain] ** 2))
    t = _signed_t(x, w, p_only & to_smd, estimate / se, paired, options)
    _smd_from_t(x, w, t, to_smd & w.alive, paired, deff, options)
    _flip(x, w, ~p_only)
    _check_direction(x, w, ~p_only)
    tier = np.isin(source, TESTS) | p_only
    w.route = np.where(tier, "exact p", "contrast with CI or SE").astype(object)
    finish(w, np.ones(x.n, dtype=bool))
    return w


def _compatible(w: Work, target: Texts, reported: Texts) -> None:
    allowed = target == reported
    for name, others in CONVERTIBLE.items():
        allowed |= (target == name) & np.isin(reported, others)
    w.fail(
        ~allowed & (reported == "p_only"),
        "a p-value alone gives no " + target,
        "the " + target + " with its CI, or data per arm",
    )
    w.fail(~allowed, "a reported " + reported + " is no " + target, "the " + target + " with its CI, or data per arm")


def _design_effect(x: Rows, w: Work) -> Floats:
    cluster = x.words["design"] == "cluster"
    known = cluster & ~np.isnan(x["icc"]) & ~np.isnan(x["cluster_size"])
    w.flags.add(cluster & ~known, "clustering presumed allowed for in what is printed (no ICC)")
    effect = np.where(known, conv.design_effect(x["icc"], x["cluster_size"]), 1.0)
    if known.any():
        w.derivation.add(known, "variance x design effect " + texts(effect))
        w.assumptions.add(known, "ICC = " + texts(x["icc"]) + ", clusters of " + texts(x["cluster_size"]))
    return effect


def _o_minus_e(x: Rows, w: Work, rows: Bools) -> None:
    w.fail(rows & np.isnan(x["oe"] + x["v"]), "O - E or V not reported", "O - E and V, or the log HR with SE")
    ok = rows & w.alive
    w.put(ok, measures.from_o_minus_e(x["oe"][ok], x["v"][ok]))
    w.derivation.add(ok, "(O - E)/V, variance 1/V")


# --- estimate and SE -----------------------------------------------------------------------------------------


def is_log(x: Rows) -> Bools:
    """Rows whose target is a ratio, analysed on the log scale."""
    return np.isin(x.words["measure"], list(RATIO_MEASURES))


def _estimate(x: Rows, w: Work, rows: Bools) -> Floats:
    """Reported estimate on the analysis scale; the middle of the CI where the estimate itself is missing."""
    log = is_log(x)
    estimate, low, high = (
        np.where(log, np.log(np.where(log & (v > 0), v, np.nan)), v)
        for v in (x["estimate"], x["ci_lower"], x["ci_upper"])
    )
    middle = rows & np.isnan(estimate) & ~np.isnan(low + high)
    w.flags.add(middle, "estimate not printed: middle of the CI taken")
    estimate = np.where(middle, (low + high) / 2, estimate)
    w.fail(rows & np.isnan(estimate), "no estimate reported", "the estimate with its CI")
    off = conv.ci_asymmetry(estimate, low, high)
    scale: Texts = np.where(log, " (log scale)", "").astype(object)
    w.flags.add(rows & (off > ASYMMETRY), np.asarray("estimate not in the middle of its CI" + scale, dtype=object))
    return estimate


def exact_p(x: Rows, options: Options) -> Floats:
    """p-values that may be converted: exact ones, and bounds p < ... where the options take them as equalities."""
    operator = x.words["p_operator"]
    usable = np.isin(operator, ["", "="])
    if options.p_inequality_as_equality:
        usable |= np.isin(operator, ["<", "<="])
    return np.where(usable, x["p_value"], np.nan)


def p_text(x: Rows) -> Texts:
    """The p-value as printed, e.g. "p < 0.001"."""
    operator = np.where(x.words["p_operator"] == "", "=", x.words["p_operator"]).astype(object)
    return np.asarray("p " + operator + " " + texts(x["p_value"]), dtype=object)


def test_df(x: Rows, paired: Bools) -> Floats:
    """Degrees of freedom of the t-test behind a contrast: as printed, else n - 1 paired, n1 + n2 - 2 otherwise."""
    by_n = np.where(paired, np.fmin(x["n1"], x["n2"]) - 1, x["n1"] + x["n2"] - 2)
    return np.where(np.isnan(x["df"]), by_n, x["df"])


def _standard_error(
    x: Rows, w: Work, estimate: Floats, rows: Bools, paired: Bools, options: Options
) -> tuple[Floats, np.ndarray[tuple[int], np.dtype[np.int64]]]:
    """SE on the analysis scale from the best of what is printed, and which that was."""
    log, reported = is_log(x), x.words["reported_measure"]
    df = test_df(x, paired)
    ci_df = np.where((options.contrast_ci == "t") & ~log & (df > 0), df, np.inf)
    ends = [np.where(log, np.log(np.where(log & (v > 0), v, np.nan)), v) for v in (x["ci_lower"], x["ci_upper"])]
    p = exact_p(x, options)
    by_t = (reported == "MD") & (df > 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        limit = np.where(np.isnan(ends[0]), ends[1], ends[0])
        half = conv.se_from_ci(-np.abs(limit - estimate), np.abs(limit - estimate), x["ci_level"], df=ci_df)
        from_p = np.abs(estimate) / np.where(by_t, conv.t_from_p(p, df), conv.z_from_p(p))
        choices = {
            PRINTED: x["se"],
            CI: conv.se_from_ci(ends[0], ends[1], x["ci_level"], df=ci_df),
            LIMIT: half,
            T: np.abs(estimate / x["t"]),
            F: np.abs(estimate) / np.sqrt(x["f"]),
            Z: np.abs(estimate / x["z"]),
            P: from_p,
            FROM_N: _se_from_n(x, estimate, paired, options),
        }
    se, source = np.full(x.n, np.nan), np.zeros(x.n, dtype=np.int64)
    for code, value in choices.items():
        take = rows & (source == NONE) & np.isfinite(value) & (value > 0)
        se[take], source[take] = value[take], code
    _note_source(x, w, source, by_t, options)
    printed = np.where(source == PRINTED, choices[CI] / se, 1.0)
    w.flags.add(rows & (np.abs(printed - 1) > 0.1), "SE and CI disagree: SE taken")
    with np.errstate(invalid="ignore", divide="ignore"):
        apart = np.abs(np.abs(estimate / se) - np.abs(estimate) / from_p) > DISAGREEMENT
    w.flags.add(rows & np.isin(source, [PRINTED, CI]) & apart & ~np.isnan(p), "p-value and SE or CI disagree")
    lost = rows & (source == NONE)
    bound = lost & np.isnan(p) & ~np.isnan(x["p_value"])
    w.fail(bound, "no SE or CI, and p only as an inequality (" + p_text(x) + ")", "SE, CI or exact p")
    w.fail(lost & (estimate == 0), "estimate of 0 with a p-value only: its SE is undefined", "SE or CI")
    w.fail(lost & (p == 1), "p = 1: the SE is undefined", "SE or CI")
    w.fail(lost, "no SE, CI, test statistic or exact p", "SE, CI or exact p")
    return se, source


def _se_from_n(x: Rows, d: Floats, paired: Bools, options: Options) -> Floats:
    """SE of a printed SMD from the sizes of the arms alone."""
    reported = x.words["reported_measure"]
    n1, n2 = x["n1"], x["n2"]
    n = np.fmin(n1, n2)
    within = 1 / n + d**2 / (2 * n)
    r = np.where(np.isnan(x["r"]), options.r, x["r"])
    var = np.where(paired, within * 2 * (1 - r), 1 / n1 + 1 / n2 + d**2 / (2 * (n1 + n2)))
    var = np.where(reported == "SMD_paired", within, var)
    return np.where(np.isin(reported, ["SMD", "SMD_paired"]), np.sqrt(var), np.nan)


def _note_source(
    x: Rows, w: Work, source: np.ndarray[tuple[int], np.dtype[np.int64]], by_t: Bools, options: Options
) -> None:
    log, reported = is_log(x), x.words["reported_measure"]
    some = source > NONE
    w.derivation.add(some, "reported " + np.where(log, "log ", "").astype(object) + reported)
    level = texts(100 * x["ci_level"])
    fixed = {
        PRINTED: "SE as printed",
        CI: level + "% CI -> SE",
        LIMIT: "one limit of the " + level + "% CI -> SE",
        T: "t -> SE",
        F: "F -> |t| -> SE",
        Z: "z -> SE",
        FROM_N: "SE from n and SMD",
    }
    for code, text in fixed.items():
        w.derivation.add(source == code, text)
    by_p = source == P
    if by_p.any():
        quantile = np.where(by_t, "t", "z").astype(object)
        w.derivation.add(by_p, p_text(x) + " -> " + quantile + " -> SE")
        w.flags.add(by_p & ~by_t & (reported == "MD"), "n unknown: z instead of t")
        _flag_inequality(x, w, by_p)
    w.flags.add(source == LIMIT, "only one limit of the CI printed")


def _flag_inequality(x: Rows, w: Work, rows: Bools) -> None:
    bound = rows & np.isin(x.words["p_operator"], ["<", "<="])
    if bound.any():
        w.flags.add(bound, p_text(x) + " taken as p = " + texts(x["p_value"]))


# --- to the target -------------------------------------------------------------------------------------------


def _unpaired_factor(x: Rows, w: Work, rows: Bools, options: Options) -> Floats:
    """sqrt(2(1 - r)), which puts a within-person SMD on the between-person SD."""
    if options.standardiser == "difference":
        w.flags.add(rows, "standardised by the SD of differences: not comparable with parallel trials")
        return np.ones(x.n)
    r = correlation(x, w, rows, "r", options.r)
    w.fail(rows & (r == 1), "r = 1 leaves no between-person SMD", "a correlation below 1")
    factor = np.where(rows, np.sqrt(2 * (1 - r)), 1.0)
    if rows.any():
        w.derivation.add(rows, "within-person SMD x sqrt(2(1 - r)) = " + texts(factor))
    return factor


def _scale(x: Rows, w: Work, rows: Bools) -> Floats:
    lo, hi, to_lo, to_hi = (x[c] for c in ("scale_min", "scale_max", "target_min", "target_max"))
    md = rows & (x.words["measure"] == "MD")
    wanted = ~np.isnan(to_lo + to_hi)
    known = ~np.isnan(lo + hi)
    w.fail(
        md & wanted & ~known,
        "scale limits not reported: the MD cannot be put on the protocol's scale",
        "scale minimum and maximum",
    )
    ratio = rows & (x.words["measure"] == "ROM") & wanted
    w.fail(
        ratio & ~((lo == 0) & (to_lo == 0)), "a ratio of means depends on where the scale begins", "mean and SD per arm"
    )
    moved = md & wanted & known & (hi - lo != to_hi - to_lo)
    factor = np.where(moved, (to_hi - to_lo) / np.where(moved, hi - lo, 1.0), 1.0)
    if moved.any():
        w.derivation.add(moved, "MD x " + texts(factor) + " to the scale of the protocol")
    return factor


def _signed_t(x: Rows, w: Work, rows: Bools, from_estimate: Floats, paired: Bools, options: Options) -> Floats:
    """t of rows that go to an SMD: estimate/SE, or for ``rows`` a printed statistic or exact p with its direction."""
    if not rows.any():
        return from_estimate
    p = exact_p(x, options)
    df = test_df(x, paired)
    w.fail(rows & np.isnan(df), "no n for the test", "n per arm")
    printed = np.where(np.isnan(x["t"]), x["z"], x["t"])
    size = np.where(np.isnan(printed), np.sqrt(x["f"]), np.abs(printed))
    by_p = np.isnan(size)
    size = np.where(by_p, conv.t_from_p(p, df), size)
    bound = rows & by_p & np.isnan(p) & ~np.isnan(x["p_value"])
    w.fail(bound, "p given only as an inequality (" + p_text(x) + ")", "exact p, or mean and SD per arm")
    w.fail(rows & by_p & np.isnan(p), "no exact p and no test statistic", "exact p, or mean and SD per arm")
    better, direction = x.words["better"], x.words["direction"]
    sign = np.select([direction == "favours_intervention", direction == "favours_control"], [1.0, -1.0], np.nan)
    unknown = np.isnan(sign) & (size != 0)
    by_t = unknown & ~np.isnan(printed)
    w.flags.add(rows & by_t, "sign of the printed statistic taken as intervention minus control")
    if options.unknown_direction == "exclude":
        w.fail(rows & unknown & ~by_t, "direction of the effect not reported", "which arm did better")
    else:
        w.assumptions.add(
            rows & unknown & ~by_t, f"direction unknown, taken as {options.unknown_direction.replace('_', ' ')}"
        )
        sign = np.where(np.isnan(sign), 1.0 if options.unknown_direction == "favours_intervention" else -1.0, sign)
    w.fail(
        rows & ~by_t & (size != 0) & (better == ""),
        "which direction is better is not set",
        "the direction of the outcome",
    )
    good = np.where(better == "higher", 1.0, -1.0)
    t = np.where(by_t, printed, np.where(size == 0, 0.0, sign * good * size))
    if (rows & w.alive).any():
        kind = np.where(paired, "paired t, df ", "t, df ").astype(object) + texts(df)
        w.derivation.add(rows & w.alive & by_p, p_text(x) + " -> |t| = " + texts(size) + " (" + kind + ")")
        w.derivation.add(rows & w.alive & ~by_p, "printed statistic -> t = " + texts(t) + " (" + kind + ")")
        w.flags.add(rows & np.isnan(x["t"]) & ~np.isnan(x["z"]), "z taken as t")
        _flag_inequality(x, w, rows & by_p & w.alive)
    return np.where(rows, t, from_estimate)


def _smd_from_t(x: Rows, w: Work, t: Floats, rows: Bools, paired: Bools, deff: Floats, options: Options) -> None:
    """Hedges' g of rows with a t: two-sample, paired, or a two-sample test made on crossover data."""
    if not rows.any():
        return
    n1, n2 = x["n1"], x["n2"]
    n = np.fmin(n1, n2)
    w.fail(rows & np.isnan(n1 + n2), "no n per arm: an MD or p-value without n gives no SMD", "n per arm")
    w.fail(
        rows & (np.where(paired, n - 1, n1 + n2 - 2) <= 1),
        "too few patients for Hedges' J (df at most 1)",
        "a larger trial",
    )
    md = rows & (x.words["reported_measure"] == "MD") & ~np.isnan(x["estimate"])
    w.derivation.add(md & w.alive, "MD / SE -> t")
    w.assumptions.add(md & w.alive, "SE is that of an unadjusted difference")
    rows = rows & w.alive
    r = correlation(x, w, rows & (x.words["design"] == "crossover") | rows & paired, "r", options.r)
    between = options.standardiser == "between"
    for of, text in (
        (
            rows & paired,
            "SMD = J t/sqrt(n) x sqrt(2(1 - r))" if between else "SMD by the SD of differences = J t/sqrt(n)",
        ),
        (rows & ~paired, "SMD, exact J; {} variance"),
    ):
        if not of.any():
            continue
        if text.startswith("SMD,"):
            crossed = of & (x.words["design"] == "crossover") & (options.crossover == "paired")
            d = t * np.sqrt(1 / n1 + 1 / n2)
            g, _ = measures.smd_from_d(d, n1, n2)
            e1, e2 = n1 / deff, n2 / deff
            vi = np.full(x.n, np.nan)
            vi[of] = measures.smd_variance(
                g[of], e1[of], e2[of], (e1 + e2 - 2)[of], (e1 + e2)[of], options.smd_variance
            )
            vi = np.where(crossed, (1 / n + g**2 / (2 * n)) * 2 * (1 - r), vi)
            w.put(of, (g[of], vi[of]))
            w.derivation.add(of & ~crossed, text.format(options.smd_variance))
            w.derivation.add(crossed, "SMD, exact J; paired variance")
            w.flags.add(crossed, "two-sample test made on crossover data")
        else:
            yi, vi = crossover.smd_from_t(n[of], t[of], r[of], between=between)
            w.put(of, (yi, vi * deff[of]))
            w.derivation.add(of, text)
            w.flags.add(of & (n1 != n2), "unequal n in a paired test: the smaller taken")


def _flip(x: Rows, w: Work, rows: Bools) -> None:
    """Turn reported differences where higher is better but the protocol counts down (or the reverse)."""
    rows = rows & x.flip
    target = x.words["measure"]
    one_way = np.isin(target, ["RR", "HR", "IRR", "ROM", "IRD"])
    w.fail(rows & one_way, "a reported " + target + " cannot be turned round", "data per arm")
    turned = rows & ~one_way
    w.yi = np.where(turned, -w.yi, w.yi)
    w.derivation.add(turned & w.alive, "direction flipped")


def _check_direction(x: Rows, w: Work, rows: Bools) -> None:
    direction, better = x.words["direction"], x.words["better"]
    good = np.select([better == "higher", better == "lower"], [1.0, -1.0], 0.0)
    said = np.select([direction == "favours_intervention", direction == "favours_control"], [1.0, -1.0], 0.0)
    w.flags.add(
        rows & w.alive & (np.sign(w.yi) * good * said < 0), "sign of the estimate and stated direction disagree"
    )
