# Reference values for correlations, proportions and means of single groups: metafor's escalc and rma.
# Rscript tests/reference/effects_single.R > tests/reference/effects_single.json (from the top of the repository)
# Debian packages: r-cran-metafor, r-cran-metadat, r-cran-jsonlite.
suppressPackageStartupMessages({library(metafor); library(jsonlite)})

# Correlations of conscientiousness and adherence, with the design of each study; proportions of aneurysms closed
# (zero cells: all or none), length of stay under specialist care, and proportions with zero cells made up.
sets <- list(
  molloy = with(dat.molloy2014, list(measure = "ZCOR", label = paste(authors, year), r = ri, n = ni, by = as.character(design))),
  mcdaniel = with(dat.mcdaniel1994, list(measure = "ZCOR", label = paste("study", study), r = ri, n = ni, by = as.character(struct))),
  pritz = with(dat.pritz1997, list(measure = "PLO", label = paste(authors, study), events = xi, n = ni)),
  debruin = with(dat.debruin2009, list(measure = "PLO", label = paste(author, year), events = xi, n = ni, by = as.character(patients))),
  zeros = list(measure = "PLO", label = letters[1:5], events = c(0, 3, 12, 40, 2), n = c(15, 60, 12, 90, 55)),
  normand = with(dat.normand1999, list(measure = "MN", label = source, mean = m1i, sd = sd1i, n = n1i)))
tight <- list(threshold = 1e-12, maxiter = 10000)
back <- list(ZCOR = transf.ztor, PLO = transf.ilogit, MN = function(x) x)
fitted <- function(f, measure) {
  p <- predict(f, transf = back[[measure]])
  list(estimate = c(f$beta), se = f$se, ci_lower = f$ci.lb, ci_upper = f$ci.ub, tau2 = f$tau2, i2 = f$I2, q = f$QE,
       q_p_value = f$QEp, p_value = f$pval, estimate_natural = p$pred, ci_lower_natural = p$ci.lb,
       ci_upper_natural = p$ci.ub, pi_lower_natural = p$pi.lb, pi_upper_natural = p$pi.ub)
}
one <- function(d) {
  e <- switch(d$measure, ZCOR = escalc(measure = "ZCOR", ri = d$r, ni = d$n),
              PLO = escalc(measure = "PLO", xi = d$events, ni = d$n),
              MN = escalc(measure = "MN", mi = d$mean, sdi = d$sd, ni = d$n))
  yi <- c(e$yi); vi <- e$vi
  d$yi <- yi; d$vi <- vi
  # pi: metafor's t(k - 1) of the Hartung-Knapp model, as the preset "cochrane".
  d$models <- list(
    cochrane = fitted(rma(yi, vi, method = "REML", test = "knha", control = tight), d$measure),
    "revman-classic" = fitted(rma(yi, vi, method = "DL"), d$measure),
    common = fitted(rma(yi, vi, method = "EE"), d$measure))
  d
}
out <- lapply(sets, one)
# The test for subgroup differences: subtotals by REML, each with its own tau2, on their Wald standard errors.
test <- function(d) {
  parts <- split(seq_along(d$yi), d$by)
  each <- lapply(parts, function(at) rma(d$yi[at], d$vi[at], method = "REML", control = tight))
  f <- rma(sapply(each, coef), sapply(each, function(x) x$se^2), method = "EE")
  list(k = lengths(parts), q = f$QE, df = f$k - 1, p_value = f$QEp)
}
for (name in c("molloy", "debruin")) out[[name]]$subgroups <- test(out[[name]])
cat(toJSON(out, digits = NA, auto_unbox = TRUE, pretty = TRUE), "\n")
