"""Worked steps of effect sizes from means with some measure of spread, or quantiles, per arm."""

from __future__ import annotations

import math

from scipy.special import ndtri

from reweigh.effects import conversions as conv
from reweigh.effects import crossover, measures
from reweigh.effects.quantiles import mean_sd_by_quantile_estimation
from reweigh.effects.worked_page import ARM_NAMES, Effect, Page, design_effect_step, minus, par, show

NAN = math.nan


# --- one arm -------------------------------------------------------------------------------------------------


def _arm(page: Page, k: int) -> tuple[float, float, float]:
    """Size, mean and SD of arm k."""
    if _prints_change(page):
        n, mean, sd = (page.num(f"{c}{k}") for c in ("n", "change_mean", "change_sd"))
        line = f"n = {show(n)}, mean change = {show(mean)}, SD of the change = {show(sd)}"
        page.step(f"{ARM_NAMES[k].capitalize()} arm: change from baseline as printed", line)
        return n, mean, sd
    n, mean, name = page.num(f"n{k}"), page.num(f"mean{k}"), ARM_NAMES[k].capitalize()
    five = [page.num(f"{c}{k}") for c in ("median", "q1", "q3", "min", "max")]
    if math.isnan(mean):
        mean, sd = _quantiles(page, name, n, five)
    if page.has(f"sd{k}"):
        sd = page.num(f"sd{k}")
        page.step(f"{name} arm as printed", f"n = {show(n)}, mean = {show(mean)}, SD = {show(sd)}")
    elif page.has(f"se{k}"):
        se = page.num(f"se{k}")
        sd = se * math.sqrt(n)
        page.step(
            f"{name} arm: SD from the SE of the mean",
            f"n = {show(n)}, mean = {show(mean)}, SE = {show(se)}",
            f"SD = SE x sqrt(n) = {show(se)} x sqrt({show(n)}) = {show(sd)}",
            source="Handbook 6.5.2.2",
        )
    elif page.has(f"ci_lower{k}", f"ci_upper{k}"):
        low, high = page.num(f"ci_lower{k}"), page.num(f"ci_upper{k}")
        quantile = float(conv.mean_ci_quantile(n, page.level))
        which = f"t, df = {show(n - 1)}" if n <= conv.T_MAX_N else "normal, since n is above 100"
        sd = math.sqrt(n) * (high - low) / (2 * quantile)
        page.step(
            f"{name} arm: SD from the {show(100 * page.level)}% CI of the mean",
            f"n = {show(n)}, mean = {show(mean)}, CI {show(low)} to {show(high)}",
            f"quantile ({which}) = {show(quantile)}",
            "SD = sqrt(n) x (upper - lower) / (2 x quantile)",
            f"   = sqrt({show(n)}) x ({minus(high, low)}) / (2 x {par(quantile)}) = {show(sd)}",
            source="Handbook 6.5.2.2",
        )
    elif page.has(f"mean{k}"):
        _, sd = _quantiles(page, name, n, five)
    return n, mean, sd


def _quantiles(page: Page, name: str, n: float, five: list[float]) -> tuple[float, float]:
    m, q1, q3, low, high = five
    scenario = int(conv.five_number_scenario(*five))
    method = page.options.median_method
    printed = f"n = {show(n)}, median = {show(m)}"
    if scenario in (1, 3):
        printed += f", range {show(low)} to {show(high)}"
    if scenario in (2, 3):
        printed += f", quartiles {show(q1)} and {show(q3)}"
    if method == "quantile":
        mean, sd = (float(v[0]) for v in mean_sd_by_quantile_estimation(n, m, q1, q3, low, high))
        lines = [f"nearest quantiles (least squares, by program): mean {show(mean)}, SD {show(sd)}"]
        source = "McGrath 2020"
    elif method == "luo-wan-shi":
        mean, sd, lines, source = _luo_wan_shi(scenario, n, *five)
    else:
        mean, sd = (float(v) for v in conv.mean_sd_from_five_numbers(n, m, q1, q3, low, high, method))
        lines = [f"method {method}, by program: mean {show(mean)}, SD {show(sd)}"]
        source = {"wan": "Wan 2014"}.get(method, "Shi 2020b")
    page.step(
        f"{name} arm: mean and SD from quantiles",
        printed,
        *lines,
        source=source,
    )
    return mean, sd


def _luo_wan_shi(
    scenario: int, n: float, m: float, q1: float, q3: float, low: float, high: float
) -> tuple[float, float, list[str], str]:
    mean, sd = (float(v) for v in conv.mean_sd_from_five_numbers(n, m, q1, q3, low, high))
    xi = 2 * float(ndtri((n - 0.375) / (n + 0.25)))
    eta = 2 * float(ndtri((0.75 * n - 0.125) / (n + 0.25)))
    xi_line = f"xi = 2 x Phi^-1(({show(n)} - 0.375)/({show(n)} + 0.25)) = {show(xi)}"
    eta_line = f"eta = 2 x Phi^-1((0.75 x {show(n)} - 0.125)/({show(n)} + 0.25)) = {show(eta)}"
    if scenario == 1:
        w = 4 / (4 + n**0.75)
        lines = [
            f"w = 4/(4 + n^0.75) = 4/(4 + {show(n)}^0.75) = {show(w)}",
            f"mean = w (min + max)/2 + (1 - w) median = {show(w)} x {par((low + high) / 2)} + {show(1 - w)} x {par(m)}"
            f" = {show(mean)}",
            xi_line,
            f"SD = (max - min)/xi = {show(high - low)} / {show(xi)} = {show(sd)}",
        ]
        return mean, sd, lines, "Luo 2018 eq. 7; Wan 2014 eq. 9"
    if scenario == 2:
        w = 0.7 + 0.39 / n
        lines = [
            f"w = 0.7 + 0.39/n = 0.7 + 0.39/{show(n)} = {show(w)}",
            f"mean = w (q1 + q3)/2 + (1 - w) median = {show(w)} x {par((q1 + q3) / 2)} + {show(1 - w)} x {par(m)}"
            f" = {show(mean)}",
            eta_line,
            f"SD = (q3 - q1)/eta = {show(q3 - q1)} / {show(eta)} = {show(sd)}",
        ]
        return mean, sd, lines, "Luo 2018 eq. 11; Wan 2014 eq. 16"
    w1, w2, w = 2.2 / (2.2 + n**0.75), 0.7 - 0.72 / n**0.55, 1 / (1 + 0.07 * n**0.6)
    lines = [
        f"w1 = 2.2/(2.2 + {show(n)}^0.75) = {show(w1)}; w2 = 0.7 - 0.72/{show(n)}^0.55 = {show(w2)}",
        "mean = w1 (min + max)/2 + w2 (q1 + q3)/2 + (1 - w1 - w2) median",
        f"   = {show(w1)} x {par((low + high) / 2)} + {show(w2)} x {par((q1 + q3) / 2)}"
        f" + {show(1 - w1 - w2)} x {par(m)} = {show(mean)}",
        xi_line,
        eta_line,
        f"w = 1/(1 + 0.07 x {show(n)}^0.6) = {show(w)}",
        f"SD = w (max - min)/xi + (1 - w)(q3 - q1)/eta = {show(w)} x {par(high - low)}/{show(xi)}"
        f" + {show(1 - w)} x {par(q3 - q1)}/{show(eta)} = {show(sd)}",
    ]
    return mean, sd, lines, "Luo 2018 eq. 15; Shi 2020 eq. 10"


def _prints_change(page: Page) -> bool:
    return page.has("change_mean1", "change_sd1", "change_mean2", "change_sd2")


def _computes_change(page: Page) -> bool:
    given = page.has("baseline_mean1", "baseline_sd1", "baseline_mean2", "baseline_sd2")
    return given and page.options.change_scores and not _prints_change(page)


def _change(page: Page, k: int, mean: float, sd: float) -> tuple[float, float]:
    if not _computes_change(page):
        return mean, sd
    m0, s0 = page.num(f"baseline_mean{k}"), page.num(f"baseline_sd{k}")
    own = page.num("r") if page.word("design") != "crossover" else NAN
    r = page.options.r_baseline if math.isnan(own) else own
    change = math.sqrt(s0**2 + sd**2 - 2 * r * s0 * sd)
    page.step(
        f"{ARM_NAMES[k].capitalize()} arm: change from baseline",
        f"mean change = {minus(mean, m0)} = {show(mean - m0)}",
        "SD of the change = sqrt(SD0^2 + SD1^2 - 2 r SD0 SD1)",
        f"   = sqrt({par(s0)}^2 + {par(sd)}^2 - 2 x {par(r)} x {par(s0)} x {par(sd)}) = {show(change)}",
        source="Handbook 6.5.2.8",
    )
    return mean - m0, change


def _to_scale(page: Page, m1: float, s1: float, m2: float, s2: float) -> tuple[float, float, float, float]:
    low, high, to_low, to_high = (page.num(c) for c in ("scale_min", "scale_max", "target_min", "target_max"))
    known, wanted = page.has("scale_min", "scale_max"), page.has("target_min", "target_max")
    change = _prints_change(page) or _computes_change(page)
    if known and wanted and (low, high) != (to_low, to_high):
        factor = (to_high - to_low) / (high - low)
        shift = 0.0 if change else to_low - low * factor
        page.step(
            f"From the scale {show(low)} to {show(high)} to {show(to_low)} to {show(to_high)}",
            f"factor = ({minus(to_high, to_low)}) / ({minus(high, low)}) = {show(factor)}",
            f"means: {show(m1 * factor + shift)} and {show(m2 * factor + shift)}",
            f"SDs: {show(s1 * factor)} and {show(s2 * factor)}",
        )
        m1, m2, s1, s2 = m1 * factor + shift, m2 * factor + shift, s1 * factor, s2 * factor
    if page.flip:
        top = 0.0 if change else to_low + to_high if wanted and known else low + high if known else 0.0
        page.step(
            "Direction flipped",
            f"means: {minus(top, m1)} = {show(top - m1)}",
            f"   and {minus(top, m2)} = {show(top - m2)}",
        )
        m1, m2 = top - m1, top - m2
    return m1, s1, m2, s2


# --- continuous ----------------------------------------------------------------------------------------------


def continuous_steps(page: Page) -> Effect:
    """MD, SMD, SMDH, Glass's delta or ROM from means and SDs."""
    arms = []
    for k in (1, 2):
        n, mean, sd = _arm(page, k)
        arms.append((n, *_change(page, k, mean, sd)))
    (n1, m1, s1), (n2, m2, s2) = arms
    m1, s1, m2, s2 = _to_scale(page, m1, s1, m2, s2)
    deff = design_effect_step(page)
    n1, n2 = n1 / deff, n2 / deff
    if page.paired:
        return _paired_means(page, min(n1, n2), m1, s1, m2, s2)
    return _independent_means(page, n1, m1, s1, n2, m2, s2)


def _independent_means(page: Page, n1: float, m1: float, s1: float, n2: float, m2: float, s2: float) -> Effect:
    measure, difference = page.word("measure"), minus(m1, m2)
    if measure == "MD":
        yi, vi = m1 - m2, s1**2 / n1 + s2**2 / n2
        page.step(
            "Mean difference",
            f"MD = {difference} = {show(yi)}",
            f"variance = SD1^2/n1 + SD2^2/n2 = {par(s1)}^2/{show(n1)} + {par(s2)}^2/{show(n2)} = {show(vi)}",
            source="Handbook 6.5.1.1",
        )
        return yi, vi
    if measure == "ROM":
        yi, vi = math.log(m1 / m2), s1**2 / (n1 * m1**2) + s2**2 / (n2 * m2**2)
        page.step(
            "Log ratio of means",
            f"log ROM = ln({show(m1)} / {show(m2)}) = {show(yi)}",
            "variance = SD1^2/(n1 mean1^2) + SD2^2/(n2 mean2^2)",
            f"   = {show(s1)}^2/({show(n1)} x {par(m1)}^2) + {show(s2)}^2/({show(n2)} x {par(m2)}^2) = {show(vi)}",
            source="Hedges 1999",
        )
        return yi, vi
    df = n2 - 1 if measure == "GLASS" else n1 + n2 - 2
    j, j_line = page.hedges_j(df)
    if measure == "SMD":
        sd = math.sqrt(((n1 - 1) * s1**2 + (n2 - 1) * s2**2) / df)
        squares = f"({show(n1)} - 1) x {show(s1)}^2 + ({show(n2)} - 1) x {show(s2)}^2"
        sd_line = f"pooled SD = sqrt(({squares}) / {show(df)}) = {show(sd)}"
    elif measure == "SMDH":
        sd = math.sqrt((s1**2 + s2**2) / 2)
        sd_line = f"SD = sqrt(({par(s1)}^2 + {par(s2)}^2)/2) = {show(sd)}"
    else:
        sd, sd_line = s2, f"SD of the control arm = {show(s2)}"
    d = (m1 - m2) / sd
    g = j * d
    page.step(
        "Standardised mean difference",
        sd_line,
        f"d = ({difference}) / {show(sd)} = {show(d)}",
        j_line,
        f"g = J x d = {show(j)} x {par(d)} = {show(g)}",
        source="Handbook 6.5.1.2; Hedges 1981",
    )
    if measure == "SMDH":
        f1, f2 = n1 - 1, n2 - 1
        v = g**2 * (s1**4 / f1 + s2**4 / f2) / (8 * sd**4) + (s1**2 / f1 + s2**2 / f2) / sd**2
        vi = v * j**2 if page.options.smdh_version == "3.8" else v
        page.step(
            "Variance for unequal SDs",
            "v = g^2 (SD1^4/(n1 - 1) + SD2^4/(n2 - 1)) / (8 SD^4) + (SD1^2/(n1 - 1) + SD2^2/(n2 - 1)) / SD^2",
            f"   = {par(g)}^2 x ({show(s1)}^4/{show(f1)} + {show(s2)}^4/{show(f2)}) / (8 x {show(sd)}^4)"
            f" + ({show(s1)}^2/{show(f1)} + {show(s2)}^2/{show(f2)}) / {show(sd)}^2 = {show(v)}",
            f"variance = J^2 v = {show(j)}^2 x {show(v)} = {show(vi)}"
            if page.options.smdh_version == "3.8"
            else f"variance = v = {show(vi)}",
            source="Bonett 2009, as metafor " + page.options.smdh_version,
        )
        return g, vi
    return g, smd_variance_step(page, g, j, n1, n2, df, n2 if measure == "GLASS" else n1 + n2)


def smd_variance_step(page: Page, g: float, j: float, n1: float, n2: float, df: float, total: float) -> float:
    """The step for the sampling variance of an SMD; NaN for AV, which needs the other rows."""
    kind = page.options.smd_variance
    if kind == "AV":
        page.step(
            "Variance of the SMD (AV)",
            "1/n1 + 1/n2 + gbar^2/(2N), gbar the size-weighted mean g of all trials (see the table)",
        )
        return NAN
    vi = float(measures.smd_variance(g, n1, n2, df, total, kind))
    base = f"1/{show(n1)} + 1/{show(n2)}"
    line = {
        "LS": f"1/n1 + 1/n2 + g^2/(2N) = {base} + {par(g)}^2/(2 x {par(total)})",
        "LS2": f"J^2 (1/n1 + 1/n2 + d^2/(2N)) = {par(j)}^2 x ({base} + {par(g / j)}^2/(2 x {par(total)}))",
        "UB": "1/n1 + 1/n2 + (1 - (df - 2)/(df J^2)) g^2"
        f" = {base} + (1 - {show(df - 2)}/({show(df)} x {show(j)}^2)) x {par(g)}^2",
    }[kind]
    page.step(f"Variance of the SMD ({kind})", f"variance = {line} = {show(vi)}", source="as metafor's vtype")
    return vi


def _paired_correlation(page: Page, n: float, md: float, s1: float, s2: float) -> tuple[float, str]:
    exact = page.word("p_operator") in ("", "=") and page.has("p_value")
    t = abs(page.num("t")) if page.has("t") else float(conv.t_from_p(page.num("p_value"), n - 1)) if exact else NAN
    if not page.has("r") and page.word("paired") != "no" and t > 0:
        sd = abs(md) / t * math.sqrt(n)
        r = (s1**2 + s2**2 - sd**2) / (2 * s1 * s2)
        if abs(r) < 1:
            page.step(
                "Correlation from the paired test",
                "SDd = SD of the differences = |MD| sqrt(n) / |t|",
                f"   = {show(abs(md))} x sqrt({show(n)}) / {show(t)} = {show(sd)}",
                "r = (SD1^2 + SD2^2 - SDd^2)/(2 SD1 SD2)",
                f"   = ({show(s1)}^2 + {show(s2)}^2 - {show(sd)}^2)/(2 x {show(s1)} x {show(s2)}) = {show(r)}",
                source="Handbook 6.5.2.8",
            )
            return r, "from the paired test"
    return page.assumed("r", page.options.r)


def _paired_means(page: Page, n: float, m1: float, s1: float, m2: float, s2: float) -> Effect:
    measure = page.word("measure")
    r, origin = _paired_correlation(page, n, m1 - m2, s1, s2)
    correlation = f"r = {show(r)} ({origin})"
    if measure == "MD":
        yi, vi = m1 - m2, (s1**2 + s2**2 - 2 * r * s1 * s2) / n
        page.step(
            "Mean difference of a crossover trial",
            correlation,
            f"MD = {minus(m1, m2)} = {show(yi)}",
            f"variance = (SD1^2 + SD2^2 - 2 r SD1 SD2)/n = ({par(s1)}^2 + {par(s2)}^2 - 2 x {par(r)} x {par(s1)} x "
            f"{show(s2)})/{show(n)} = {show(vi)}",
            source="Handbook 23.2.7.1",
        )
        return yi, vi
    if measure == "ROM":
        yi, vi = (float(v) for v in crossover.rom(n, m1, s1, m2, s2, r))
        page.step(
            "Log ratio of means of a crossover trial",
            correlation,
            f"log ROM = ln({show(m1)} / {show(m2)}) = {show(yi)}",
            "variance = SD1^2/(n mean1^2) + SD2^2/(n mean2^2) - 2 r SD1 SD2/(n mean1 mean2)",
            f"   = {show(s1)}^2/({show(n)} x {par(m1)}^2) + {show(s2)}^2/({show(n)} x {par(m2)}^2)"
            f" - 2 x {par(r)} x {show(s1)} x {show(s2)}/({show(n)} x {par(m1)} x {par(m2)}) = {show(vi)}",
            source="Lajeunesse 2011",
        )
        return yi, vi
    j, j_line = page.hedges_j(n - 1)
    if measure == "GLASS":
        sd, sd_line = s2, f"SD of the control periods = {show(s2)}"
    elif page.options.standardiser == "difference":
        sd = math.sqrt(s1**2 + s2**2 - 2 * r * s1 * s2)
        squares = f"{show(s1)}^2 + {show(s2)}^2 - 2 x {par(r)} x {show(s1)} x {show(s2)}"
        sd_line = f"SD of the differences = sqrt({squares}) = {show(sd)}"
    else:
        sd = math.sqrt((s1**2 + s2**2) / 2)
        sd_line = f"between-person SD = sqrt(({par(s1)}^2 + {par(s2)}^2)/2) = {show(sd)}"
    g = j * (m1 - m2) / sd
    if measure == "GLASS":
        vi = 2 * (1 - r) / n + g**2 / (2 * n)
        line = f"2(1 - r)/n + g^2/(2n) = 2 x (1 - {par(r)})/{show(n)} + {par(g)}^2/(2 x {show(n)})"
    elif page.options.standardiser == "difference":
        vi, line = 1 / n + g**2 / (2 * n), f"1/n + g^2/(2n) = 1/{show(n)} + {par(g)}^2/(2 x {show(n)})"
    else:
        vi = (1 / n + g**2 / (2 * n)) * 2 * (1 - r)
        line = f"(1/n + g^2/(2n)) x 2(1 - r) = (1/{show(n)} + {par(g)}^2/(2 x {par(n)})) x 2 x (1 - {show(r)})"
    page.step(
        "Standardised mean difference of a crossover trial",
        correlation,
        sd_line,
        j_line,
        f"g = J x ({minus(m1, m2)}) / SD = {show(j)} x {par(m1 - m2)} / {show(sd)} = {show(g)}",
        f"variance = {line} = {show(vi)}",
        source="Handbook 23.2.7.2; Elbourne 2002",
    )
    return g, vi
