# Leave-one-out and cumulative pooling of counts by metafor, for tests/test_robustness_counts.py.
# Rscript robustness_counts.R > robustness_counts.json
suppressMessages({
  library(metafor)
  library(jsonlite)
})

sets <- list(
  bcg = with(metadat::dat.bcg, data.frame(ai = tpos, n1i = tpos + tneg, ci = cpos, n2i = cpos + cneg)),
  nielweise2007 = metadat::dat.nielweise2007[c("ai", "n1i", "ci", "n2i")]
)

keep <- function(x) {
  x <- lapply(unclass(x)[c("estimate", "se", "zval", "pval", "ci.lb", "ci.ub", "Q", "Qp")], as.numeric)
  lapply(x, function(values) ifelse(is.finite(values), values, NA))
}

# Counts as they are; 0.5 added in trials with a zero cell, for the mean as well; Peto.
fits <- function(d, measure) {
  # rma.mh drops trials without events from risk differences only when asked; they count there.
  drop <- measure != "RD"
  mh <- function(add, to) {
    rma.mh(measure = measure, ai = ai, n1i = n1i, ci = ci, n2i = n2i, data = d,
           add = c(0.5, add), to = c("only0", to), drop00 = c(drop, drop), digits = 12)
  }
  out <- list(exact = mh(0, "none"))
  if (measure != "RD") out$corrected <- mh(0.5, "only0")
  if (measure == "OR") {
    out$peto <- rma.peto(ai = ai, n1i = n1i, ci = ci, n2i = n2i, data = d, drop00 = c(TRUE, TRUE))
  }
  out
}

result <- list(about = list(R = R.version.string, metafor = as.character(packageVersion("metafor"))))
for (name in names(sets)) {
  d <- sets[[name]]
  result[[name]] <- c(as.list(d), list(models = list()))
  for (measure in c("RR", "OR", "RD")) {
    # The effects of the single trials, as the tables hold them.
    single <- escalc(measure = measure, ai = ai, n1i = n1i, ci = ci, n2i = n2i, data = d, add = 0.5, to = "only0")
    result[[name]]$effects[[measure]] <- list(yi = as.numeric(single$yi), vi = as.numeric(single$vi))
    models <- fits(d, measure)
    for (model in names(models)) {
      fit <- models[[model]]
      result[[name]]$models[[measure]][[model]] <- list(
        whole = keep(list(estimate = c(fit$beta), se = fit$se, zval = fit$zval, pval = fit$pval, ci.lb = fit$ci.lb,
                          ci.ub = fit$ci.ub, Q = fit$QE, Qp = fit$QEp)),
        leave1out = keep(leave1out(fit)), cumul = keep(cumul(fit)), weights = as.numeric(weights(fit))
      )
    }
  }
}
# The limit meta-analysis where there is no heterogeneity: effects and variances alone.
hine <- escalc(measure = "RD", ai = ai, n1i = n1i, ci = ci, n2i = n2i, data = metadat::dat.hine1989)
result$hine1989_rd <- list(yi = as.numeric(hine$yi), vi = as.numeric(hine$vi),
                           tau2 = rma(yi, vi, data = hine)$tau2)
cat(toJSON(result, digits = NA, auto_unbox = TRUE, na = "null"), "\n")
