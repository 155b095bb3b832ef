"""Worked steps of effect sizes from what is reported between arms."""

from __future__ import annotations

import math

from reweigh.effects import conversions as conv
from reweigh.effects.worked_means import smd_variance_step
from reweigh.effects.worked_page import Effect, Page, minus, par, show
from reweigh.measures import RATIO_MEASURES

NAN = math.nan


def contrast_steps(page: Page, reported: str) -> Effect:
    """Effect of one reported contrast."""
    target = page.word("measure")
    crossed = page.word("design") == "crossover"
    paired = page.word("paired") == "yes" or (page.word("paired") == "" and crossed)
    deff = _design_effect(page)
    if reported == "OE_V":
        oe, v = page.num("oe"), page.num("v")
        yi = oe / v
        page.step(
            "Log ratio from O - E and V",
            f"estimate = (O - E)/V = {show(oe)} / {show(v)} = {show(yi)}",
            f"variance = 1/V = 1/{show(v)} = {show(1 / v)}",
            source="Handbook 6.8.2",
        )
        return _flip(page, yi, 1 / v)
    nothing = not page.has("estimate") and not page.has("ci_lower", "ci_upper")
    p_only = reported == "p_only" or (target == "SMD" and reported == "MD" and nothing)
    if p_only:
        if crossed and page.options.crossover == "as_independent":
            paired = False
        return _smd_from_t(page, _signed_t(page, paired), paired, deff)
    log = target in RATIO_MEASURES
    estimate = _estimate(page, log)
    se = _standard_error(page, reported, estimate, paired, log)
    if target == "SMD" and reported == "MD":
        t = estimate / se
        page.step("t of the difference", f"t = MD / SE = {show(estimate)} / {show(se)} = {show(t)}")
        return _flip(page, *_smd_from_t(page, t, paired, deff))
    factor = 1.0
    if reported == "SMD_paired" and page.options.standardiser == "between":
        r, origin = page.assumed("r", page.options.r)
        factor = math.sqrt(2 * (1 - r))
        page.step(
            "From the SD of the differences to the between-person SD",
            f"r = {show(r)} ({origin})",
            f"factor = sqrt(2 x (1 - {par(r)})) = {show(factor)}",
            f"SMD = {show(estimate)} x {show(factor)} = {show(estimate * factor)}",
            f"SE = {show(se)} x {show(factor)} = {show(se * factor)}",
            source="Handbook 23.2.7.2",
        )
    if target == "MD" and page.has("target_min", "target_max"):
        to = (page.num("target_max") - page.num("target_min")) / (page.num("scale_max") - page.num("scale_min"))
        if to != 1:
            page.step(
                "To the scale of the protocol",
                f"MD = {show(estimate)} x {show(to)} = {show(estimate * to)}",
                f"SE = {show(se)} x {show(to)} = {show(se * to)}",
            )
        factor *= to
    return _flip(page, estimate * factor, deff * (se * factor) ** 2)


def _flip(page: Page, yi: float, vi: float) -> Effect:
    if page.flip:
        page.step("Direction flipped", f"estimate = -1 x {par(yi)} = {show(-yi)}")
        return -yi, vi
    return yi, vi


def _design_effect(page: Page) -> float:
    if page.word("design") != "cluster" or not page.has("icc", "cluster_size"):
        return 1.0
    icc, size = page.num("icc"), page.num("cluster_size")
    effect = 1 + (size - 1) * icc
    page.step(
        "Design effect of the cluster trial, to multiply the variance",
        f"1 + (m - 1) ICC = 1 + ({show(size)} - 1) x {par(icc)} = {show(effect)}",
        source="Handbook 23.1.5",
    )
    return effect


def _scaled(page: Page, column: str, *, log: bool) -> float:
    value = page.num(column)
    return math.log(value) if log and value > 0 else value


def _estimate(page: Page, log: bool) -> float:
    estimate = _scaled(page, "estimate", log=log)
    low, high = _scaled(page, "ci_lower", log=log), _scaled(page, "ci_upper", log=log)
    if math.isnan(estimate):
        estimate = (low + high) / 2
        page.step("Estimate as the middle of its CI", f"({show(low)} + {par(high)})/2 = {show(estimate)}")
    elif log:
        page.step(
            "Log of the estimate", f"ln({show(page.num('estimate'))}) = {show(estimate)}", source="Handbook 6.3.2"
        )
    return estimate


def _df(page: Page, paired: bool) -> float:
    if page.has("df"):
        return page.num("df")
    n1, n2 = page.num("n1"), page.num("n2")
    if paired:
        return (n2 if math.isnan(n1) else n1 if math.isnan(n2) else min(n1, n2)) - 1
    return n1 + n2 - 2


def _exact_p(page: Page) -> float:
    operators = ("", "=", "<", "<=") if page.options.p_inequality_as_equality else ("", "=")
    return page.num("p_value") if page.word("p_operator") in operators else NAN


def _standard_error(page: Page, reported: str, estimate: float, paired: bool, log: bool) -> float:
    source = "Handbook 6.3.2" if log else "Handbook 6.3.1"
    low, high = _scaled(page, "ci_lower", log=log), _scaled(page, "ci_upper", log=log)
    df = _df(page, paired)
    by_t = page.options.contrast_ci == "t" and not log and df > 0
    quantile = float(conv.t_critical(df, page.level) if by_t else conv.z_critical(page.level))
    word = "log of the limits: " if log else ""
    if page.num("se") > 0:
        se = page.num("se")
        page.step("SE as printed", f"SE = {show(se)}" + (" (log scale)" if log else ""))
    elif page.has("ci_lower", "ci_upper"):
        se = (high - low) / (2 * quantile)
        page.step(
            f"SE from the {show(100 * page.level)}% CI",
            f"{word}{show(low)} and {show(high)}; quantile {show(quantile)}",
            f"SE = ({minus(high, low)}) / (2 x {show(quantile)}) = {show(se)}",
            source=source,
        )
    elif page.has("ci_lower") or page.has("ci_upper"):
        limit = high if math.isnan(low) else low
        se = abs(limit - estimate) / quantile
        page.step("SE from one limit of the CI", f"SE = |{minus(limit, estimate)}| / {show(quantile)} = {show(se)}")
    else:
        se = _se_from_test(page, reported, estimate, paired, df, source)
    return se


def _se_from_test(page: Page, reported: str, estimate: float, paired: bool, df: float, source: str) -> float:
    statistic, name = NAN, ""
    for column, value in (("t", page.num("t")), ("f", math.sqrt(max(page.num("f"), 0.0))), ("z", page.num("z"))):
        if page.has(column) and value != 0:
            statistic, name = abs(value), column if column != "f" else "sqrt(F)"
            break
    p = _exact_p(page)
    if math.isnan(statistic) and not math.isnan(p):
        if reported == "MD" and df > 0:
            statistic, name = float(conv.t_from_p(p, df)), f"t of two-sided p = {show(p)} with {show(df)} df"
            source = "Handbook 6.5.2.3"
        else:
            statistic, name = float(conv.z_from_p(p)), f"z of two-sided p = {show(p)}"
    if not math.isnan(statistic):
        se = abs(estimate) / statistic
        page.step(
            "SE from the test",
            f"|{name}| = {show(statistic)}",
            f"SE = |estimate| / statistic = {show(abs(estimate))} / {show(statistic)} = {show(se)}",
            source=source,
        )
        return se
    n1, n2 = page.num("n1"), page.num("n2")
    n = min(n1, n2)
    if reported == "SMD_paired" or paired:
        r, _ = page.assumed("r", page.options.r)
        factor = 1.0 if reported == "SMD_paired" else 2 * (1 - r)
        se = math.sqrt((1 / n + estimate**2 / (2 * n)) * factor)
        page.step(
            "SE from n and the SMD",
            f"SE = sqrt((1/n + SMD^2/(2n)) x {show(factor)})",
            f"   = sqrt((1/{show(n)} + {par(estimate)}^2/(2 x {show(n)})) x {show(factor)}) = {show(se)}",
        )
    else:
        se = math.sqrt(1 / n1 + 1 / n2 + estimate**2 / (2 * (n1 + n2)))
        page.step(
            "SE from n and the SMD",
            "SE = sqrt(1/n1 + 1/n2 + SMD^2/(2N))",
            f"   = sqrt(1/{show(n1)} + 1/{show(n2)} + {par(estimate)}^2/(2 x {show(n1 + n2)})) = {show(se)}",
        )
    return se


def _signed_t(page: Page, paired: bool) -> float:
    df = _df(page, paired)
    direction, better = page.word("direction"), page.word("better")
    printed = page.num("t") if page.has("t") else page.num("z")
    if not math.isnan(printed):
        size, line = abs(printed), f"|t| = {show(abs(printed))} as printed"
    elif page.has("f"):
        size = math.sqrt(page.num("f"))
        line = f"|t| = sqrt(F) = sqrt({show(page.num('f'))}) = {show(size)}"
    else:
        p = _exact_p(page)
        size = float(conv.t_from_p(p, df))
        origin = "as printed" if page.has("df") else "n - 1" if paired else "n1 + n2 - 2"
        line = f"two-sided p = {show(p)} with {show(df)} df ({origin}): |t| = {show(size)}"
    if size == 0:
        page.step("t as printed", line)
        return 0.0
    if direction not in ("favours_intervention", "favours_control"):
        if not math.isnan(printed):
            page.step("t as printed", line, f"sign as printed: t = {show(printed)}")
            return printed
        direction = page.options.unknown_direction
    t = size * (1 if better == "higher" else -1) * (1 if direction == "favours_intervention" else -1)
    page.step(
        "t from what is printed",
        line,
        f"{direction.replace('_', ' ')} and {better} is better, so t = {show(t)}",
        source="Handbook 6.5.2.3",
    )
    return t


def _smd_from_t(page: Page, t: float, paired: bool, deff: float) -> Effect:
    n1, n2 = page.num("n1"), page.num("n2")
    n = min(n1, n2)
    if paired:
        r, origin = page.assumed("r", page.options.r)
        j, j_line = page.hedges_j(n - 1)
        d = j * t / math.sqrt(n)
        factor = 2 * (1 - r) if page.options.standardiser == "between" else 1.0
        vi = (1 / n + d**2 / (2 * n)) * factor
        lines = [
            j_line,
            f"d = J t / sqrt(n) = {show(j)} x {par(t)} / sqrt({show(n)}) = {show(d)}",
        ]
        if page.options.standardiser == "between":
            lines += [
                f"r = {show(r)} ({origin})",
                f"g = d sqrt(2 (1 - r)) = {show(d)} x sqrt(2 x (1 - {par(r)})) = {show(d * math.sqrt(factor))}",
                "variance = (1/n + d^2/(2n)) x 2 (1 - r)",
                f"   = (1/{show(n)} + {par(d)}^2/(2 x {show(n)})) x {show(factor)} = {show(vi)}",
            ]
        else:
            lines.append(f"variance = 1/n + d^2/(2n) = 1/{show(n)} + {par(d)}^2/(2 x {show(n)}) = {show(vi)}")
        page.step("SMD from a paired t", *lines, source="Handbook 23.2.7.2; Becker 1988")
        return d * math.sqrt(factor), vi * deff
    d = t * math.sqrt(1 / n1 + 1 / n2)
    j, j_line = page.hedges_j(n1 + n2 - 2)
    g = j * d
    page.step(
        "SMD from a two-sample t",
        f"d = t sqrt(1/n1 + 1/n2) = {show(t)} x sqrt(1/{show(n1)} + 1/{show(n2)}) = {show(d)}",
        j_line,
        f"g = J x d = {show(j)} x {par(d)} = {show(g)}",
        source="Handbook 6.5.2.3; Hedges 1981",
    )
    if page.paired:
        r, origin = page.assumed("r", page.options.r)
        vi = (1 / n + g**2 / (2 * n)) * 2 * (1 - r)
        page.step(
            "Variance of a crossover trial",
            f"r = {show(r)} ({origin})",
            "variance = (1/n + g^2/(2n)) x 2 (1 - r)",
            f"   = (1/{show(n)} + {par(g)}^2/(2 x {show(n)})) x 2 x (1 - {par(r)}) = {show(vi)}",
            source="Handbook 23.2.7.2",
        )
        return g, vi
    e1, e2 = n1 / deff, n2 / deff
    return g, smd_variance_step(page, g, j, e1, e2, e1 + e2 - 2, e1 + e2)
