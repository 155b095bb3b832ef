"""Effect sizes from what is reported between arms: an estimate with SE, CI or p, a test, O - E and V."""

from __future__ import annotations

from typing import Any

import numpy as np

from reweigh.effects import conversions as conv
from reweigh.effects import crossover, measures
from reweigh.effects.conversions import Floats
from reweigh.effects.design import correlation, design_effect, finish, pairing
from reweigh.effects.measures import Bools
from reweigh.effects.notes import Texts
from reweigh.effects.table import Options, Rows, on_scales, scales
from reweigh.effects.work import Work
from reweigh.measures import RATIO_MEASURES, WITHOUT_NULL, analysed
from reweigh.quantile import t_critical, t_from_p, z_from_p

#: Reported measures that can become each target, besides the target itself.
CONVERTIBLE = {"SMD": ("SMD_paired", "MD", "p_only"), "HR": ("OE_V",), "PETO": ("OE_V",)}
#: The step that puts a reported estimate on its analysis scale.
TO_SCALE = {"log": "log_of_estimate", "z": "z_of_estimate", "logit": "logit_of_estimate"}
#: Half-widths by which an estimate may miss the middle of its CI before it is flagged (rounding stays below).
ASYMMETRY = 0.15
#: Difference in z or t between a printed p-value and estimate/SE above which they are flagged as contradictory.
DISAGREEMENT = 0.5

Sources = np.ndarray[tuple[int], np.dtype[np.int64]]
NONE, PRINTED, CI, LIMIT, T, F, Z, P, FROM_N, FROM_N_OF_R = range(10)
TESTS = [T, F, Z, P]
SOURCES = {
    PRINTED: "se_printed", CI: "ci_to_se", LIMIT: "limit_to_se", T: "t_to_se", F: "f_to_se", Z: "z_to_se", P: "p_to_se",
    FROM_N: "n_to_se", FROM_N_OF_R: "n_to_se_of_z",
}  # fmt: skip
"""Where an SE is from, and the code that says so."""


def contrast_effects(x: Rows, options: Options) -> Work:
    """Effects of rows that report a contrast; every row ends with an effect or a reason."""
    w = Work(x)
    target, reported, design = x.words["measure"], x.words["reported_measure"], x.words["design"]
    _compatible(w, target, reported)
    w.flags.add(design == "first_period", "first_period")
    crossed, oe = design == "crossover", reported == "OE_V"
    to_smd = (target == "SMD") & np.isin(reported, ["p_only", "MD"])
    nothing = np.isnan(x["estimate"]) & np.isnan(x["ci_lower"] + x["ci_upper"])
    p_only = (reported == "p_only") | (to_smd & nothing)
    paired = (x.words["paired"] == "yes") | ((x.words["paired"] == "") & crossed)
    w.flags.add(crossed & (x.words["paired"] == "") & ~oe, "paired_presumed")
    if options.crossover == "as_independent":
        w.flags.add(crossed & p_only, "as_independent")
        w.flags.add(crossed & ~p_only, "stays_paired")
        paired &= ~(crossed & p_only)
    deff = _design_effect(x, w)
    _o_minus_e(x, w, oe)
    estimate = _estimate(x, w, ~oe & ~p_only)
    se, source = _standard_error(x, w, estimate, ~oe & ~p_only, paired, options)
    plain = ~oe & ~to_smd & w.alive
    factor = _unpaired_factor(x, w, plain & (reported == "SMD_paired"), estimate, se, options)
    factor = factor * _scale(x, w, plain, estimate, se)
    w.put(plain, (estimate[plain] * factor[plain], deff[plain] * (se * factor)[plain] ** 2))
    t = _signed_t(x, w, p_only & to_smd, estimate / se, paired, options)
    _smd_from_t(w, t, estimate, se, to_smd & w.alive, paired, deff, options)
    multiplied = (plain | (to_smd & paired)) & (deff != 1) & w.alive
    w.step(multiplied, "multiplied_variance", effect=deff, se=np.sqrt(w.vi / deff), vi=w.vi)
    _flip(x, w, ~p_only)
    _check_direction(x, w, ~p_only)
    tier = np.isin(source, TESTS) | p_only
    # The SE, CI, t, F or exact p of a paired analysis; a p-value that is only presumed to be paired does not count.
    of_test = tier & (x.words["paired"] == "yes") & ~np.isin(x.words["p_operator"], ["<", "<=", ">", ">="])
    measured = crossed & paired & (np.isin(source, [PRINTED, CI, LIMIT]) | of_test)
    w.within = pairing(x, measured, crossed & paired & (source == FROM_N))
    w.route = np.where(tier, "exact p", "contrast with CI or SE").astype(object)
    finish(w, np.ones(x.n, dtype=bool))
    return w


def _compatible(w: Work, target: Texts, reported: Texts) -> None:
    allowed = target == reported
    for name, others in CONVERTIBLE.items():
        allowed |= (target == name) & np.isin(reported, others)
    w.fail(~allowed & (reported == "p_only"), "p_gives_no", measure=target)
    w.fail(~allowed, "other_measure", reported=reported, measure=target)


def _design_effect(x: Rows, w: Work) -> Floats:
    cluster, known, effect = design_effect(x)
    w.flags.add(cluster & ~known, "clustering_presumed")
    w.derivation.add(known, "variance_by_design_effect", effect=effect)
    w.assumptions.add(known, "icc", icc=x["icc"], size=x["cluster_size"])
    w.step(known, "variance_by_design_effect", icc=x["icc"], size=x["cluster_size"], effect=effect)
    return effect


def _o_minus_e(x: Rows, w: Work, rows: Bools) -> None:
    w.fail(rows & np.isnan(x["oe"] + x["v"]), "no_oe_v")
    ok = rows & w.alive
    w.put(ok, measures.from_o_minus_e(x["oe"][ok], x["v"][ok]))
    w.derivation.add(ok, "o_minus_e")
    w.step(ok, "o_minus_e", oe=x["oe"], v=x["v"], yi=w.yi, vi=w.vi)


def is_log(x: Rows) -> Bools:
    """Rows whose target is a ratio, analysed on the log scale."""
    return np.isin(x.words["measure"], list(RATIO_MEASURES))


def _analysed(x: Rows, column: str) -> Floats:
    """A reported estimate or limit on the analysis scale."""
    value = on_scales(analysed, x[column], scales(x))
    return np.where(np.isfinite(value), value, np.nan)


def _estimate(x: Rows, w: Work, rows: Bools) -> Floats:
    """Reported estimate on the analysis scale; the middle of the CI where the estimate itself is missing."""
    log, scale = is_log(x), scales(x)
    estimate, low, high = (_analysed(x, column) for column in ("estimate", "ci_lower", "ci_upper"))
    middle = rows & np.isnan(estimate) & ~np.isnan(low + high)
    w.flags.add(middle, "middle_of_ci")
    estimate = np.where(middle, (low + high) / 2, estimate)
    w.step(middle, "middle_of_ci", low=low, high=high, estimate=estimate)
    for name, step in TO_SCALE.items():
        w.step(rows & ~middle & (scale == name), step, printed=x["estimate"], estimate=estimate)
    w.fail(rows & np.isnan(estimate), "no_estimate")
    off = rows & (conv.ci_asymmetry(estimate, low, high) > ASYMMETRY)
    w.flags.add(off & ~log, "asymmetric_ci")
    w.flags.add(off & log, "asymmetric_log_ci")
    return estimate


def exact_p(x: Rows, options: Options) -> Floats:
    """p-values that may be converted: exact ones, and bounds p < ... where the options take them as equalities."""
    operator = x.words["p_operator"]
    usable = np.isin(operator, ["", "="])
    if options.p_inequality_as_equality:
        usable |= np.isin(operator, ["<", "<="])
    return np.where(usable, x["p_value"], np.nan)


def _printed_p(x: Rows) -> dict[str, Texts | Floats]:
    """Parameters that print the p-value as it stands, e.g. "p < 0.001"."""
    operator = x.words["p_operator"]
    return {"operator": np.where(operator == "", "=", operator).astype(object), "p": x["p_value"]}


def test_df(x: Rows, paired: Bools) -> Floats:
    """Degrees of freedom of the t-test behind a contrast: as printed, else n - 1 paired, n1 + n2 - 2 otherwise."""
    by_n = np.where(paired, np.fmin(x["n1"], x["n2"]) - 1, x["n1"] + x["n2"] - 2)
    return np.where(np.isnan(x["df"]), by_n, x["df"])


def _standard_error(
    x: Rows, w: Work, estimate: Floats, rows: Bools, paired: Bools, options: Options
) -> tuple[Floats, Sources]:
    """SE on the analysis scale from the best of what is printed, and which that was."""
    log, reported = scales(x) != "natural", x.words["reported_measure"]
    df = test_df(x, paired)
    ci_df = np.where((options.contrast_ci == "t") & ~log & (df > 0), df, np.inf)
    low, high = _analysed(x, "ci_lower"), _analysed(x, "ci_upper")
    p = exact_p(x, options)
    by_t = (reported == "MD") & (df > 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        limit = np.where(np.isnan(low), high, low)
        half = conv.se_from_ci(-np.abs(limit - estimate), np.abs(limit - estimate), x["ci_level"], ci_df)
        of_p = np.where(by_t, t_from_p(p, df), z_from_p(p))
        statistics = {T: np.abs(x["t"]), F: np.sqrt(x["f"]), Z: np.abs(x["z"]), P: of_p}
        choices = {
            PRINTED: x["se"],
            CI: conv.se_from_ci(low, high, x["ci_level"], ci_df),
            LIMIT: half,
            **{code: np.abs(estimate) / statistic for code, statistic in statistics.items()},
            FROM_N: _se_from_n(x, estimate, paired, options),
            FROM_N_OF_R: np.where((reported == "ZCOR") & (x["n1"] > 3), 1 / np.sqrt(x["n1"] - 3), np.nan),
        }
        # A test of a single group is against a value that nothing here knows.
        for code in TESTS:
            choices[code] = np.where(np.isin(reported, list(WITHOUT_NULL)), np.nan, choices[code])
    se, source = np.full(x.n, np.nan), np.zeros(x.n, dtype=np.int64)
    for code, value in choices.items():
        take = rows & (source == NONE) & np.isfinite(value) & (value > 0)
        se[take], source[take] = value[take], code
    _note_source(x, w, source, by_t)
    if w.traced:
        said = {"estimate": estimate, "size": np.abs(estimate), "low": low, "high": high, "limit": limit, "df": df}
        said |= {"se": se, "quantile": t_critical(ci_df, x["ci_level"]), "level": 100 * x["ci_level"]}
        said["statistic"] = np.select([source == code for code in TESTS], [statistics[code] for code in TESTS], np.nan)
        _trace_source(x, w, source, by_t, paired, options, said)
    printed = np.where(source == PRINTED, choices[CI] / se, 1.0)
    w.flags.add(rows & (np.abs(printed - 1) > 0.1), "se_and_ci_disagree")
    with np.errstate(invalid="ignore", divide="ignore"):
        apart = np.abs(np.abs(estimate / se) - np.abs(estimate) / choices[P]) > DISAGREEMENT
    w.flags.add(rows & np.isin(source, [PRINTED, CI]) & apart & ~np.isnan(p), "p_disagrees")
    lost = rows & (source == NONE)
    w.fail(lost & np.isnan(p) & ~np.isnan(x["p_value"]), "bound_only", **_printed_p(x))
    w.fail(lost & (estimate == 0), "zero_estimate")
    w.fail(lost & (p == 1), "p_of_1")
    w.fail(lost, "no_se")
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


def _note_source(x: Rows, w: Work, source: Sources, by_t: Bools) -> None:
    log, some, reported = is_log(x), source > NONE, x.words["reported_measure"]
    w.derivation.add(some & log, "reported_log", measure=reported)
    w.derivation.add(some & ~log, "reported", measure=reported)
    level, by = {"level": 100 * x["ci_level"]}, np.where(by_t, "t", "z").astype(object)
    parameters: dict[int, dict[str, Any]] = {CI: level, LIMIT: level, P: {**_printed_p(x), "by": by}}
    for code, name in SOURCES.items():
        w.derivation.add(source == code, name, **parameters.get(code, {}))
    w.flags.add((source == P) & ~by_t & (reported == "MD"), "z_for_t")
    _flag_inequality(x, w, source == P)
    w.flags.add(source == LIMIT, "one_limit")


def _trace_source(
    x: Rows, w: Work, source: Sources, by_t: Bools, paired: Bools, options: Options, said: dict[str, Any]
) -> None:
    """Record how the SE came about."""
    log, of_difference = is_log(x), x.words["reported_measure"] == "SMD_paired"
    r = np.where(np.isnan(x["r"]), options.r, x["r"])
    said |= {"n1": x["n1"], "n2": x["n2"], "n": np.fmin(x["n1"], x["n2"]), "p": x["p_value"]}
    said |= {
        "factor": np.where(of_difference, 1.0, 2 * (1 - r)),
        "name": np.select([source == T, source == F], ["t", "sqrt(F)"], "z"),
    }
    transformed = scales(x) != "natural"
    said["source"] = np.where(transformed, "Handbook 6.3.2", "Handbook 6.3.1")
    said["scale"] = np.select([log, transformed], [" (log scale)", " (analysis scale)"], "")
    said["limits"] = np.select([log, transformed], ["log of the limits: ", "limits there: "], "")
    within = of_difference | paired
    for rows, name in (
        (source == PRINTED, "se_printed"),
        (source == CI, "ci_to_se"),
        (source == LIMIT, "limit_to_se"),
        (np.isin(source, [T, F, Z]), "test_to_se"),
        ((source == P) & ~by_t, "z_of_p_to_se"),
        ((source == P) & by_t, "t_of_p_to_se"),
        ((source == FROM_N) & ~within, "n_to_se"),
        ((source == FROM_N) & within, "n_to_paired_se"),
        (source == FROM_N_OF_R, "n_to_se_of_z"),
    ):
        w.step(rows, name, **said)


def _flag_inequality(x: Rows, w: Work, rows: Bools) -> None:
    w.flags.add(rows & np.isin(x.words["p_operator"], ["<", "<="]), "p_bound_as_p", **_printed_p(x))


def _unpaired_factor(x: Rows, w: Work, rows: Bools, estimate: Floats, se: Floats, options: Options) -> Floats:
    """sqrt(2(1 - r)), which puts a within-person SMD on the between-person SD."""
    if options.standardiser == "difference":
        w.flags.add(rows, "sd_of_differences")
        return np.ones(x.n)
    r, origin = correlation(x, w, rows, "r", options.r)
    w.fail(rows & (r == 1), "r_of_1")
    factor = np.where(rows, np.sqrt(2 * (1 - r)), 1.0)
    w.derivation.add(rows, "within_to_between", factor=factor)
    said = {"estimate": estimate, "se": se, "yi": estimate * factor, "to_se": se * factor, "factor": factor}
    w.step(rows, "within_to_between", **said, r=r, origin=origin)
    return factor


def _scale(x: Rows, w: Work, rows: Bools, estimate: Floats, se: Floats) -> Floats:
    lo, hi, to_lo, to_hi = (x[c] for c in ("scale_min", "scale_max", "target_min", "target_max"))
    md = rows & (x.words["measure"] == "MD")
    wanted = ~np.isnan(to_lo + to_hi)
    known = ~np.isnan(lo + hi)
    w.fail(md & wanted & ~known, "no_md_scale")
    ratio = rows & (x.words["measure"] == "ROM") & wanted
    w.fail(ratio & ~((lo == 0) & (to_lo == 0)), "rom_scale")
    moved = md & wanted & known & (hi - lo != to_hi - to_lo)
    factor = np.where(moved, (to_hi - to_lo) / np.where(moved, hi - lo, 1.0), 1.0)
    w.derivation.add(moved, "md_rescaled", factor=factor)
    said = {"estimate": estimate, "se": se, "yi": estimate * factor, "to_se": se * factor, "factor": factor}
    w.step(moved, "md_rescaled", **said)
    return factor


def _signed_t(x: Rows, w: Work, rows: Bools, from_estimate: Floats, paired: Bools, options: Options) -> Floats:
    """t of rows that go to an SMD: estimate/SE, or for ``rows`` a printed statistic or exact p with its direction."""
    if not rows.any():
        return from_estimate
    p = exact_p(x, options)
    df = test_df(x, paired)
    w.fail(rows & np.isnan(df), "no_test_n")
    printed = np.where(np.isnan(x["t"]), x["z"], x["t"])
    size = np.where(np.isnan(printed), np.sqrt(x["f"]), np.abs(printed))
    by_p = np.isnan(size)
    size = np.where(by_p, t_from_p(p, df), size)
    w.fail(rows & by_p & np.isnan(p) & ~np.isnan(x["p_value"]), "p_bound", **_printed_p(x))
    w.fail(rows & by_p & np.isnan(p), "no_p")
    better, direction = x.words["better"], x.words["direction"]
    sign = np.select([direction == "favours_intervention", direction == "favours_control"], [1.0, -1.0], np.nan)
    unknown = np.isnan(sign) & (size != 0)
    by_t = unknown & ~np.isnan(printed)
    w.flags.add(rows & by_t, "sign_of_statistic")
    taken = direction
    if options.unknown_direction == "exclude":
        w.fail(rows & unknown & ~by_t, "no_direction")
    else:
        w.assumptions.add(rows & unknown & ~by_t, "direction_assumed", direction=options.unknown_direction)
        taken = np.where(unknown, options.unknown_direction, direction)
        sign = np.where(np.isnan(sign), 1.0 if options.unknown_direction == "favours_intervention" else -1.0, sign)
    w.fail(rows & ~by_t & (size != 0) & (better == ""), "no_better")
    good = np.where(better == "higher", 1.0, -1.0)
    t = np.where(by_t, printed, np.where(size == 0, 0.0, sign * good * size))
    done = rows & w.alive
    test = np.where(paired, "paired t, df", "t, df").astype(object)
    w.derivation.add(done & by_p, "p_to_t", **_printed_p(x), t=size, test=test, df=df)
    w.derivation.add(done & ~by_p, "statistic_to_t", t=t, test=test, df=df)
    w.flags.add(rows & np.isnan(x["t"]) & ~np.isnan(x["z"]), "z_as_t")
    _flag_inequality(x, w, done & by_p)
    if w.traced:
        words = [f"{a.replace('_', ' ')} and {b} is better, " for a, b in zip(taken, better, strict=True)]
        why = np.where(by_t, "sign as printed, ", np.where(size == 0, "", np.array(words, dtype=object)))
        by_n = np.where(paired, "n - 1", "n1 + n2 - 2")
        said = {"size": size, "t": t, "sign": why, "p": p, "df": df, "f": x["f"]}
        w.step(done & by_p, "p_to_t", **said, origin=np.where(np.isnan(x["df"]), by_n, "as printed"))
        w.step(done & ~by_p & np.isnan(printed), "f_to_t", **said)
        w.step(done & ~by_p & ~np.isnan(printed), "statistic_to_t", **said)
    return np.where(rows, t, from_estimate)


def _smd_from_t(
    w: Work, t: Floats, estimate: Floats, se: Floats, rows: Bools, paired: Bools, deff: Floats, options: Options
) -> None:
    """Hedges' g of rows with a t: two-sample, paired, or a two-sample test made on crossover data."""
    x = w.x
    if not rows.any():
        return
    n1, n2 = x["n1"], x["n2"]
    w.fail(rows & np.isnan(n1 + n2), "no_smd_n")
    w.fail(rows & (np.where(paired, np.fmin(n1, n2) - 1, n1 + n2 - 2) <= 1), "too_few")
    rows = rows & w.alive
    md = rows & (x.words["reported_measure"] == "MD") & ~np.isnan(se)
    w.derivation.add(md, "md_to_t")
    w.assumptions.add(md, "unadjusted_se")
    w.step(md, "md_to_t", estimate=estimate, se=se, t=t)
    crossed = x.words["design"] == "crossover"
    r, origin = correlation(x, w, rows & (crossed | paired), "r", options.r)
    _smd_from_paired_t(x, w, t, rows & paired, r, origin, deff, options)
    _smd_from_two_sample_t(x, w, t, rows & ~paired, r, origin, deff, options)


def _smd_from_paired_t(
    x: Rows, w: Work, t: Floats, of: Bools, r: Floats, origin: Texts, deff: Floats, options: Options
) -> None:
    n = np.fmin(x["n1"], x["n2"])
    between = options.standardiser == "between"
    yi, vi = crossover.smd_from_t(n[of], t[of], r[of], between=between)
    w.put(of, (yi, vi * deff[of]))
    name = "SMD of paired t" if between else "SMD of paired t difference"
    w.derivation.add(of, "measure", kind=name)
    w.flags.add(of & (x["n1"] != x["n2"]), "unequal_n_paired")
    if w.traced:
        said = measures.factor(n - 1)
        w.step(of, name, **said, t=t, n=n, d=said["j"] * t / np.sqrt(n), r=r, origin=origin, yi=w.yi, v=w.vi / deff)


def _smd_from_two_sample_t(
    x: Rows, w: Work, t: Floats, of: Bools, r: Floats, origin: Texts, deff: Floats, options: Options
) -> None:
    n1, n2 = x["n1"], x["n2"]
    n = np.fmin(n1, n2)
    crossed = of & (x.words["design"] == "crossover") & (options.crossover == "paired")
    d = t * np.sqrt(1 / n1 + 1 / n2)
    variance = "LS" if options.smd_variance == "AV" else options.smd_variance  # only g is wanted here
    g, _ = measures.smd_from_d(d, n1, n2, variance)
    e1, e2 = n1 / deff, n2 / deff
    vi = np.full(x.n, np.nan)
    vi[of] = measures.smd_variance(g[of], e1[of], e2[of], (e1 + e2 - 2)[of], (e1 + e2)[of], options.smd_variance)
    vi = np.where(crossed, (1 / n + g**2 / (2 * n)) * 2 * (1 - r), vi)
    w.put(of, (g[of], vi[of]))
    revman = options.smd_variance == "RevMan"
    name = "SMD RevMan" if revman else "SMD"
    w.derivation.add(of & ~crossed, "measure", kind=name, variance=options.smd_variance)
    w.derivation.add(crossed, "measure", kind="SMD on crossover data")
    w.flags.add(crossed, "two_sample_on_crossover")
    if w.traced:
        said: dict[str, Any] = {
            "t": t,
            "d": d,
            "n": n,
            "n1": n1,
            "n2": n2,
            "g": g,
            "yi": g,
            "vi": w.vi,
            "r": r,
            "origin": origin,
        }
        said |= measures.factor(n1 + n2 - 2, exact=not revman)
        w.step(of, "SMD of t RevMan" if revman else "SMD of t", **said)
        w.step(crossed, "variance_on_crossover", **said)
        # the variance of a cluster trial rests on the effective sample size, and so does its J
        said |= {"n1": e1, "n2": e2, "total": e1 + e2} | measures.factor(e1 + e2 - 2)
        w.step(of & ~crossed, f"smd_variance_{options.smd_variance}", **said)


def _flip(x: Rows, w: Work, rows: Bools) -> None:
    """Turn reported differences where higher is better but the protocol counts down (or the reverse)."""
    rows = rows & x.flip
    target = x.words["measure"]
    one_way = np.isin(target, ["RR", "HR", "IRR", "ROM", "IRD"])
    w.fail(rows & one_way, "one_way_ratio", measure=target)
    turned = rows & ~one_way
    was, w.yi = w.yi, np.where(turned, -w.yi, w.yi)
    w.derivation.add(turned & w.alive, "direction_flipped")
    w.step(turned & w.alive, "estimate_flipped", was=was, yi=w.yi)


def _check_direction(x: Rows, w: Work, rows: Bools) -> None:
    direction, better = x.words["direction"], x.words["better"]
    good = np.select([better == "higher", better == "lower"], [1.0, -1.0], 0.0)
    said = np.select([direction == "favours_intervention", direction == "favours_control"], [1.0, -1.0], 0.0)
    w.flags.add(rows & w.alive & (np.sign(w.yi) * good * said < 0), "direction_disagrees")
