"""R scripts that reproduce the main analyses: by metafor, and by meta.

Whatever comes from the data is a string of R or a cell of a CSV file, never code (`r_string`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pandas as pd

from reweigh.exchange.export.source import Exported, Source, one_line, table_bytes
from reweigh.io import guarded, records
from reweigh.measures import MEASURE_LABELS
from reweigh.pool.refit import COUNTS
from reweigh.pool.summarise import BAYES, IDENTITY
from reweigh.protocol.models import Model, describe_model

DATA, POOLED = "data.csv", "pooled.csv"
NUMBERS = ("estimate", "se", "ci_lower", "ci_upper", "p_value", "tau2", "q", "pi_lower", "pi_upper")
"""What is compared, by the names of pooled.csv; all on the analysis scale."""
AGREED = 1e-6
"""The largest difference that passes, relative to numbers above 1."""

#: Columns of effects.csv, and what they are called in R.
_COLUMNS = {
    "analysis": "analysis", "units": "units", "label": "study", "comparison_id": "comparison_id", "estimate": "yi",
    "variance": "vi",
    **dict(zip(COUNTS, ("ai", "n1i", "ci", "n2i"), strict=True)),
    "mean_intervention": "m1i", "sd_intervention": "sd1i", "mean_control": "m2i", "sd_control": "sd2i",
}  # fmt: skip
_SHOWN = (*IDENTITY, "model", "tau2_method", "ci_method", "pooling", "pi_method", "level", "scale", "k", "comparisons")
#: Our intervals as metafor's `test`; the profile likelihood one it has not.
_TESTS = {"wald": "z", "profile likelihood": "z", "t": "t", "hartung-knapp": "knha", "hartung-knapp guarded": "adhoc"}
#: Our intervals and prediction intervals as arguments of meta 8, by the values that tests/test_pool_reference.py holds.
_META_CI = {
    "wald": 'method.random.ci = "classic"',
    "hartung-knapp": 'method.random.ci = "HK", adhoc.hakn.ci = ""',
    "hartung-knapp guarded": 'method.random.ci = "HK", adhoc.hakn.ci = "se", adhoc.hakn.pi = "se"',
}
_META_PI = {"t(k-2)": "HTS", "t(k-1)": "V", "hartung-knapp": "HK", "bootstrap": "NNF"}
#: Measures that meta calls otherwise, or has no name for: their effects are given as they are.
_META_SM = {"PETO": "OR", "AS": "ASD", "SMDH": "SMD", "GLASS": "SMD", "GIV": "", "GIV_ratio": ""}

_HEAD = """\
# {title}: the main analyses by R's {package}.
# Made by `reweigh export`. In any folder: Rscript {package}.R
# {about}
# data.csv    a row per pooled effect: yi and its variance vi on the analysis scale (logarithms of ratios); where arms
#             report them, events ai, ci, patients n1i, n2i, means and SDs of intervention (1) and control (2). In
#             crossover and cluster trials, and where comparisons were combined, yi and vi do not follow from these.
#             units: what models pool that do not count as the main one (each row, or each trial once).
# pooled.csv  reweigh's own results, beside which those of R are printed.
suppressPackageStartupMessages(library({package}))

arguments <- commandArgs(trailingOnly = FALSE)
script <- sub("^--file=", "", grep("^--file=", arguments, value = TRUE))
here <- if (length(script)) dirname(script[1]) else "."
read <- function(name, words) {{
  table <- read.csv(file.path(here, name), na.strings = "", fileEncoding = "UTF-8", colClasses = words)
  whole <- sapply(table, is.integer)  # products of large counts are no integers of R
  table[whole] <- lapply(table[whole], as.numeric)
  table
}}
dat <- read("{data}", c(analysis = "character", study = "character", units = "character"))
dat$units[is.na(dat$units)] <- ""
ours <- read("{pooled}", c(analysis = "character", model = "character"))
compared <- data.frame()
record <- function(analysis, model, found) {{
  row <- which(ours$analysis == analysis & ours$model == model)
  stopifnot(length(row) == 1)
  own <- unlist(ours[row, names(found)])
  there <- !is.na(own)  # what reweigh does not give has its reason in the note of pooled.csv
  if (any(there)) compared <<- rbind(compared, data.frame(
    analysis = analysis, model = model, number = names(found)[there], reweigh = own[there], R = unname(found)[there],
    row.names = NULL))
}}
"""
_METAFOR = """\
# metafor stops earlier by default; with these all printed digits are right.
tight <- list(threshold = 1e-12, tol = 1e-14, maxiter = 10000, stepadj = 0.5)
numbers <- function(fit) {
  c(estimate = as.numeric(fit$beta), se = fit$se, ci_lower = fit$ci.lb, ci_upper = fit$ci.ub, p_value = fit$pval,
    tau2 = if (is.null(fit$tau2)) 0 else fit$tau2, q = fit$QE)
}
limits <- function(fit) {
  p <- predict(fit)
  c(pi_lower = p$pi.lb, pi_upper = p$pi.ub)
}
limits_k2 <- function(fit, level) {  # Higgins 2009: t with k - 2 degrees of freedom
  half <- qt((1 + level) / 2, fit$k - 2) * sqrt(fit$tau2 + fit$se^2)
  c(pi_lower = as.numeric(fit$beta) - half, pi_upper = as.numeric(fit$beta) + half)
}
"""
_COUNTED = """\
informative <- function(d, measure) {  # trials without events (OR: or with events alone) say nothing on a ratio
  events <- d$ai + d$ci
  d[measure == "RD" | (events > 0 & (measure == "RR" | events < d$n1i + d$n2i)), ]
}
# The trials' own effects, 0.5 added where a cell is zero; not exact: risk differences of the raw counts, as RevMan 5.
own <- function(d, measure, exact) {
  e <- escalc(measure, ai = ai, n1i = n1i, ci = ci, n2i = n2i, data = informative(d, measure), add = 0.5, to = "only0",
              drop00 = FALSE)
  if (measure == "RD" && !exact) e$yi <- e$ai / e$n1i - e$ci / e$n2i
  e
}
# Mantel-Haenszel of the counts as they are (exact), or, as RevMan 5, with 0.5 added in trials with a zero cell.
mh <- function(d, measure, exact, level) {
  add <- if (exact || measure == "RD") 0 else 0.5
  fit <- rma.mh(ai = ai, n1i = n1i, ci = ci, n2i = n2i, data = informative(d, measure), measure = measure,
                add = c(0.5, add), to = c("only0", if (add > 0) "only0" else "none"), drop00 = FALSE,
                level = 100 * level)
  e <- own(d, measure, exact)
  fit$QE <- sum((e$yi - as.numeric(fit$beta))^2 / e$vi)
  fit
}
# Deeks and Higgins 2010 (RevMan 5): random effects, DerSimonian and Laird's tau2 by Q around the Mantel-Haenszel mean.
mh_random <- function(d, measure, exact, level, test) {
  e <- own(d, measure, exact)
  w <- 1 / e$vi
  q <- mh(d, measure, exact, level)$QE
  tau2 <- if (nrow(e) > 1) max(0, (q - (nrow(e) - 1)) / (sum(w) - sum(w^2) / sum(w))) else 0
  fit <- rma(yi, vi, data = e, tau2 = tau2, test = test, level = 100 * level)
  fit$QE <- q
  fit
}
# Greenland and Robins 1985: the variance of the Mantel-Haenszel risk difference of RevMan and meta; rma.mh has Sato's.
greenland_robins <- function(fit, d, level) {
  n <- d$n1i + d$n2i
  v <- sum((d$ai * (d$n1i - d$ai) * d$n2i^3 + d$ci * (d$n2i - d$ci) * d$n1i^3) / (d$n1i * d$n2i * n^2))
  fit$se <- sqrt(v) / sum(d$n1i * d$n2i / n)
  fit$ci.lb <- as.numeric(fit$beta) - qnorm((1 + level) / 2) * fit$se
  fit$ci.ub <- as.numeric(fit$beta) + qnorm((1 + level) / 2) * fit$se
  fit$pval <- 2 * pnorm(-abs(as.numeric(fit$beta)) / fit$se)
  fit
}
"""
_META = """\
numbers <- function(fit, of) {
  got <- c(estimate = fit[[paste0("TE.", of)]], se = fit[[paste0("seTE.", of)]], ci_lower = fit[[paste0("lower.", of)]],
           ci_upper = fit[[paste0("upper.", of)]], p_value = fit[[paste0("pval.", of)]], q = fit$Q)
  if (of == "random") c(got, tau2 = fit$tau2, pi_lower = fit$lower.predict, pi_upper = fit$upper.predict) else got
}
"""
_FOOT = """
compared$difference <- abs(compared$reweigh - compared$R) / pmax(1, abs(compared$reweigh))
compared$difference[is.na(compared$difference)] <- Inf
options(width = 200)
print(compared, digits = 10, row.names = FALSE)
write.csv(compared, file.path(here, "compared.csv"), row.names = FALSE, fileEncoding = "UTF-8")
largest <- max(compared$difference)
cat(sprintf("\\n%d numbers of reweigh and R; largest difference %.3g\\n", nrow(compared), largest))
if (largest > {agreed}) {{
  cat("They do not agree.\\n")
  quit(status = 1)
}}
"""
Fit = Callable[[dict[str, Any], Model], Iterator[str]]


def r_string(text: str) -> str:
    """A text as a string of R, in ASCII; NUL, which R cannot hold, is left out."""
    known = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\0": ""}
    return '"' + "".join(known.get(c, c if " " <= c <= "~" else f"\\U{{{ord(c):x}}}") for c in text) + '"'


def metafor(source: Source) -> Exported:
    """metafor.R, data.csv and pooled.csv: every main analysis by every model, and how far R's numbers are from ours.

    Viechtbauer 2010, J Stat Softw 36(3). What metafor does not do is a comment with the reason.
    """
    about = "Needs metafor 3.8 or later; writes compared.csv beside itself, and ends with status 1 if they differ."
    return _script(source, "metafor", about, _metafor_fit)


def meta(source: Source) -> Exported:
    """meta.R, data.csv and pooled.csv: as `metafor`, by R's meta.

    Balduzzi 2019, Evid Based Ment Health 22:153-160; argument names are those of meta 8.
    """
    about = "Needs meta 8. This script is written from its documentation and HAS NOT BEEN RUN: read what it prints."
    return _script(source, "meta", about, _meta_fit)


def _script(source: Source, package: str, about: str, fit: Fit) -> Exported:
    """The files of one package; `fit` gives the lines that fit one model to the data frame d and record it."""
    effects, pooled = source.effects, source.pooled
    models = source.protocol.every_model
    if not (pooled["model"].isin(list(models)) & pooled["estimate"].notna()).any():
        return Exported(problem="no main analysis has a pooled result: there is nothing to reproduce")
    table = pooled[[*_SHOWN, *NUMBERS, "note"]]
    title = one_line(source.protocol.title)
    lines = [_HEAD.format(title=title, package=package, about=about, data=DATA, pooled=POOLED)]
    if package == "meta":
        lines.append(_META)
    else:
        lines += [_METAFOR, *([_COUNTED] if any(m.pooling != "inverse variance" for m in models.values()) else [])]
    for analysis, rows in pooled.groupby("analysis", sort=False):
        lines.append(f"# --- {_about(source, rows)}")
        others = {model.units for model in source.protocol.models_of(str(rows["outcome"].iloc[0]))}
        others &= set(source.units.loc[source.units["analysis"] == analysis, "units"])
        for row in records(rows):
            model = models.get(row["model"])
            lines.append(f"# {one_line(row['model'])}" + (f": {one_line(describe_model(model))}" if model else ""))
            if model is None or pd.isna(row["estimate"]):
                bayes = "R's bayesmeta fits Bayesian models; " if row["model"] == BAYES else "nothing was pooled; "
                lines.append(f"# Not here: {bayes}{one_line(row['note'])}")
            else:
                own = model.units if model.units in others else ""
                lines.append(f"d <- dat[dat$analysis == {r_string(str(analysis))} & dat$units == {r_string(own)}, ]")
                lines += fit(row, model)
        lines.append("")
    both = pd.concat([effects.assign(units=""), source.units[source.units["units"].isin(["row", "trial"])]])
    data = both.reindex(columns=list(_COLUMNS)).rename(columns=_COLUMNS)
    files = {
        f"{package}.R": ("\n".join(lines) + _FOOT.format(agreed=AGREED)).encode("utf-8"),
        DATA: table_bytes(data),
        POOLED: table_bytes(table),
    }
    left = int((~pooled["model"].isin(list(models))).sum())
    return Exported(files, (f"{left} results of the Bayesian model are not in the script",) if left else ())


def _about(source: Source, rows: pd.DataFrame) -> str:
    """What an analysis is of, on one line."""
    first = rows.iloc[0]
    outcome, window = source.protocol.outcomes[first["outcome"]], source.protocol.windows[first["window"]]
    scale = " (logarithms)" if first["scale"] == "log" else ""
    return one_line(f"{outcome.label}, {window.label or first['window']}: {MEASURE_LABELS[first['measure']]}{scale}")


def _record(row: dict[str, Any], numbers: str) -> str:
    return f"record({r_string(row['analysis'])}, {r_string(str(guarded(row['model'])))}, {numbers})"


def _metafor_fit(row: dict[str, Any], model: Model) -> Iterator[str]:
    """Lines that fit one model to the data frame d by metafor."""
    level = row["level"]
    own, percent = model.for_measure(row["measure"]), f"level = {100 * level:.12g}"
    given = f'd, "{row["measure"]}", {"TRUE" if own.exact else "FALSE"}, {level:.12g}'
    if own.tau2 == "EE" and own.pooling != "inverse variance":
        fit = f"mh({given})"
        if own.pooling == "peto":
            fit = f"rma.peto(ai = ai, n1i = n1i, ci = ci, n2i = n2i, data = d, {percent})"
        elif row["measure"] == "RD" and own.rd_variance == "greenland-robins":
            fit = f"greenland_robins({fit}, d, {level:.12g})"
        yield _record(row, f"numbers({fit})")
        return
    alone = row["comparisons"] == 1  # its own estimate with a Wald interval, whatever the model
    test = "z" if alone else _TESTS[own.interval]

    def fitted(test: str) -> str:
        if own.pooling == "mantel-haenszel":
            return f'mh_random({given}, "{test}")'
        method = "EE" if alone else own.tau2
        return f'rma(yi, vi, data = d, method = "{method}", test = "{test}", {percent}, control = tight)'

    yield f"fit <- {fitted(test)}"
    got = "numbers(fit)"
    if own.interval == "profile likelihood" and not alone:
        yield "# Not here: the profile likelihood interval of the mean, and its P; metafor has that of tau2 only."
        got = 'numbers(fit)[c("estimate", "se", "tau2", "q")]'
    if not pd.isna(row["pi_lower"]) and own.prediction == "bootstrap":
        yield "# Not here: the bootstrap prediction interval (Nagashima 2019); R's pimeta and meta have it."
    elif not pd.isna(row["pi_lower"]):
        # Which standard error the prediction interval has is not always that of the confidence interval.
        knapp = "adhoc" if own.interval.endswith("guarded") else "knha"
        other = {"hartung-knapp": knapp, "t(k-1)": "t", "t(k-2)": "z"}[own.prediction]
        of = "fit" if other == test else fitted(other)
        got = f"c({got}, {f'limits_k2({of}, {level:.12g})' if own.prediction == 't(k-2)' else f'limits({of})'})"
    yield _record(row, got)


def _meta_fit(row: dict[str, Any], model: Model) -> Iterator[str]:
    """Lines that fit one model to the data frame d by meta."""
    level = row["level"]
    own = model.for_measure(row["measure"])
    common = own.tau2 == "EE" or row["comparisons"] == 1
    if own.pooling == "inverse variance":
        call = f'metagen(yi, sqrt(vi), sm = "{_META_SM.get(row["measure"], row["measure"])}"'
    else:
        sm, method = ("OR", "Peto") if own.pooling == "peto" else (row["measure"], "MH")
        exact = "" if method == "Peto" else f", MH.exact = {'TRUE' if own.exact else 'FALSE'}"
        call = f'metabin(ai, n1i, ci, n2i, sm = "{sm}", method = "{method}"{exact}, incr = 0.5, method.incr = "only0"'
        if row["measure"] == "RD" and own.rd_variance == "sato":
            yield "# Differs: meta has Greenland and Robins' variance of the Mantel-Haenszel risk difference only."
    numbers = f'numbers(fit, "{"common" if common else "random"}")'
    options = ["common = TRUE, random = FALSE"]
    if not common:
        options = ["common = FALSE, random = TRUE", f'method.tau = "{own.tau2}"', "control = list(threshold = 1e-12, "
                   "maxiter = 10000)", _META_CI.get(own.interval, _META_CI["wald"])]  # fmt: skip
        if own.prediction_interval != "none":
            options.append(f'prediction = TRUE, method.predict = "{_META_PI[own.prediction]}"')
        if own.interval not in _META_CI:
            yield f"# Not here: the interval by {own.interval}, which meta has not."
            numbers += '[c("estimate", "se", "q", "tau2")]'
    yield f"fit <- {call}, studlab = study, data = d, level.ma = {level:.12g}, level.predict = {level:.12g},"
    yield f"  {', '.join(options)})"
    yield _record(row, numbers)
