# Reference values for the notebook library (tests/test_notebook.py): metafor with tolerances far tighter than its own.
# Rscript tests/reference/notebook.R > tests/reference/notebook.json      (from the top of the repository)
# Debian packages: r-cran-metafor, r-cran-metadat, r-cran-jsonlite.
suppressMessages({library(metafor); library(metadat); library(jsonlite)})
con <- list(threshold = 1e-13, tol = 1e-15, maxiter = 10000)
num <- function(x) as.numeric(x)
bcg <- dat.bcg; bcg$tn <- bcg$tpos + bcg$tneg; bcg$cn <- bcg$cpos + bcg$cneg
es <- escalc("RR", ai = tpos, n1i = tn, ci = cpos, n2i = cn, data = bcg)
fit <- function(method, test, mods = ~ 1, data = es) rma(yi, vi, mods = mods, data = data, method = method, test = test, control = con)

whole <- function(f) {
  p <- predict(f); pn <- predict(f, transf = exp)
  list(k = f$k, estimate = num(f$beta), se = num(f$se), statistic = num(f$zval), p_value = num(f$pval),
       ci_lower = num(f$ci.lb), ci_upper = num(f$ci.ub), pi_lower = num(p$pi.lb), pi_upper = num(p$pi.ub),
       natural = num(c(pn$pred, pn$ci.lb, pn$ci.ub, pn$pi.lb, pn$pi.ub)),
       tau2 = f$tau2, tau2_se = num(f$se.tau2), i2 = f$I2, h2 = f$H2, q = f$QE, q_df = f$k - f$p, q_p_value = f$QEp,
       weights = num(weights(f)))
}
models <- list()
for (m in c("EE", "DL", "HE", "HS", "SJ", "ML", "REML", "EB", "PM")) for (t in c("z", "t", "knha", "adhoc")) {
  models[[paste(m, t, sep = "_")]] <- whole(fit(m, t))
}
main <- fit("REML", "knha")
confint_rows <- confint(main, control = list(tol = 1e-12, tau2.max = 1e4))$random
loo <- leave1out(main)

group <- function(test) {
  parts <- lapply(unique(es$alloc), function(a) fit("REML", test, data = es[es$alloc == a, ]))
  names(parts) <- unique(es$alloc)
  wald <- lapply(unique(es$alloc), function(a) fit("REML", "z", data = es[es$alloc == a, ]))
  b <- sapply(wald, function(f) num(f$beta)); s <- sapply(wald, function(f) num(f$se))
  between <- rma(b, sei = s, method = "EE")
  list(parts = lapply(parts, function(f) whole(f)[c("k", "estimate", "se", "ci_lower", "ci_upper", "p_value", "tau2", "i2")]),
       q = between$QE, p = between$QEp)
}
regression <- function(f, new) {
  p <- predict(f, newmods = new)
  list(names = rownames(f$beta), estimate = num(f$beta), se = num(f$se), statistic = num(f$zval), p_value = num(f$pval),
       ci_lower = num(f$ci.lb), ci_upper = num(f$ci.ub), tau2 = f$tau2, tau2_se = num(f$se.tau2), i2 = f$I2, h2 = f$H2, r2 = f$R2,
       qm = f$QM, qm_p_value = f$QMp, qe = f$QE, qe_p_value = f$QEp,
       predicted = lapply(list(estimate = p$pred, se = p$se, ci_lower = p$ci.lb, ci_upper = p$ci.ub, pi_lower = p$pi.lb,
                               pi_upper = p$pi.ub), num))
}
both <- fit("REML", "knha", ~ ablat + alloc)
lm_test <- regtest(main, model = "lm"); rma_test <- regtest(fit("REML", "z"))
filled <- function(e, s) {
  f <- if (is.null(s)) trimfill(main, estimator = e, control = con) else trimfill(main, estimator = e, side = s, control = con)
  # trimfill() itself goes on with test = "z".
  f2 <- rma(num(f$yi), num(f$vi), method = "REML", test = "knha", control = con)
  c(list(k0 = f$k0, k0_se = num(f$se.k0), side = f$side, k0_p_value = num(f$p.k0), filled = num(f$yi[f$fill])),
    whole(f2)[c("estimate", "se", "ci_lower", "ci_upper", "tau2", "i2", "q")])
}
mh <- rma.mh(measure = "RR", ai = tpos, n1i = tn, ci = cpos, n2i = cn, data = bcg)
pe <- rma.peto(ai = tpos, n1i = tn, ci = cpos, n2i = cn, data = bcg)
common <- function(f) list(estimate = num(f$beta), se = f$se, ci_lower = f$ci.lb, ci_upper = f$ci.ub, q = f$QE)

out <- list(
  about = list(R = paste(R.version$major, R.version$minor, sep = "."), metafor = as.character(packageVersion("metafor"))),
  bcg = bcg[c("author", "year", "tpos", "tn", "cpos", "cn", "ablat", "alloc")],
  yi = num(es$yi), vi = num(es$vi),
  models = models,
  confint = list(estimate = num(confint_rows[, 1]), ci_lower = num(confint_rows[, 2]), ci_upper = num(confint_rows[, 3])),
  leave_one_out = lapply(setNames(nm = c("estimate", "se", "zval", "pval", "ci.lb", "ci.ub", "Q", "Qp", "tau2", "I2", "H2")),
                         function(n) num(loo[[if (n %in% names(loo)) n else "tval"]])),
  subgroups = group("knha"),
  regress_ablat = regression(fit("REML", "knha", ~ ablat), c(10, 30, 50)),
  regress_z = regression(fit("DL", "z", ~ ablat), c(10, 30, 50)),
  regress_both = regression(both, rbind(c(10, 0, 0), c(50, 1, 0), c(33, 0, 1))),
  regress_se = lapply(setNames(nm = c("DL", "HE", "HS", "SJ", "ML", "EB", "PM")), function(m) num(fit(m, "z", ~ ablat)$se.tau2)),
  egger_lm = list(statistic = num(lm_test$zval), p_value = num(lm_test$pval), limit = num(lm_test$est),
                  limit_ci_lower = num(lm_test$ci.lb), limit_ci_upper = num(lm_test$ci.ub)),
  egger_rma = list(statistic = num(rma_test$zval), p_value = num(rma_test$pval), limit = num(rma_test$est)),
  trim_fill = list(L0 = filled("L0", NULL), R0 = filled("R0", NULL), left = filled("L0", "left")),
  mantel_haenszel = common(mh), peto = common(pe)
)
write(toJSON(out, digits = NA, auto_unbox = TRUE, pretty = TRUE), "")
