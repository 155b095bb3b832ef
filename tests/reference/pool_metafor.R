# Reference values for the pooling library by metafor, with tolerances far tighter than its defaults.
# Rscript tests/reference/pool_metafor.R > tests/reference/pool_metafor.json      (from the top of the repository)
# Debian packages: r-cran-metafor, r-cran-metadat, r-cran-jsonlite.
suppressPackageStartupMessages(library(metafor))
# The threshold is an absolute step of tau2: the smallest that converges on the scale of the data.
fit <- function(d, method, test = "z", mods = ~ 1) {
  d <- as.data.frame(d)
  for (threshold in 10^-(14:9)) {
    control <- list(threshold = threshold, tol = 1e-15, maxiter = 20000, tau2.max = 1e8)
    f <- try(suppressWarnings(rma(d$yi, d$vi, mods = mods, data = d, method = method, test = test, control = control)),
             silent = TRUE)
    if (!inherits(f, "try-error")) return(f)
  }
  stop(f)
}
methods <- c("EE", "DL", "HE", "HS", "SJ", "ML", "REML", "EB", "PM")
es <- escalc
two <- function(data, rows) data[rows, ]

sets <- list(
  bcg_rr = es("RR", ai = tpos, bi = tneg, ci = cpos, di = cneg, data = dat.bcg),
  bcg_or = es("OR", ai = tpos, bi = tneg, ci = cpos, di = cneg, data = dat.bcg),
  bcg_rd = es("RD", ai = tpos, bi = tneg, ci = cpos, di = cneg, data = dat.bcg),
  nielweise2007_or = es("OR", ai = ai, n1i = n1i, ci = ci, n2i = n2i, data = dat.nielweise2007),
  hine1989_rd = es("RD", ai = ai, n1i = n1i, ci = ci, n2i = n2i, data = dat.hine1989),
  li2007_or = es("OR", ai = ai, n1i = n1i, ci = ci, n2i = n2i, data = dat.li2007),
  lee2004_or = es("OR", ai = ai, n1i = n1i, ci = ci, n2i = n2i, data = dat.lee2004),
  linde2005_rr = es("RR", ai = ai, n1i = n1i, ci = ci, n2i = n2i, data = dat.linde2005),
  yusuf1985_peto = es("PETO", ai = ai, n1i = n1i, ci = ci, n2i = n2i, data = two(dat.yusuf1985, dat.yusuf1985$table == 6)),
  collins1985b_or = es("OR", ai = pre.xti, n1i = pre.nti, ci = pre.xci, n2i = pre.nci, data = dat.collins1985b),
  normand1999_smd = es("SMD", m1i = m1i, sd1i = sd1i, n1i = n1i, m2i = m2i, sd2i = sd2i, n2i = n2i, data = dat.normand1999),
  normand1999_md = es("MD", m1i = m1i, sd1i = sd1i, n1i = n1i, m2i = m2i, sd2i = sd2i, n2i = n2i, data = dat.normand1999),
  curtis1998_rom = es("ROM", m1i = m2i, sd1i = sd2i, n1i = n2i, m2i = m1i, sd2i = sd1i, n2i = n1i, data = dat.curtis1998),
  mcdaniel1994_zcor = es("ZCOR", ri = ri, ni = ni, data = dat.mcdaniel1994),
  cohen1981_zcor = es("ZCOR", ri = ri, ni = ni, data = dat.cohen1981),
  molloy2014_zcor = es("ZCOR", ri = ri, ni = ni, data = dat.molloy2014),
  raudenbush1985 = dat.raudenbush1985, hackshaw1998 = dat.hackshaw1998, bangertdrowns2004 = dat.bangertdrowns2004,
  raudenbush1985_first5 = dat.raudenbush1985[1:5, ], bcg_rr_first3 = NULL, hart1999_irr = es("IRR", x1i = x1i, t1i = t1i, x2i = x2i, t2i = t2i, data = dat.hart1999),
  pritz1997_plo = es("PLO", xi = xi, ni = ni, data = dat.pritz1997)
)
sets$bcg_rr_first3 <- sets$bcg_rr[1:3, ]
sets <- lapply(sets, function(d) { d <- as.data.frame(d); d[!is.na(d$yi) & !is.na(d$vi), ] })

block <- function(f) {
  p <- predict(f)
  list(estimate = c(f$beta), se = f$se, statistic = f$zval, p_value = f$pval, ci_lower = f$ci.lb, ci_upper = f$ci.ub,
       pi_lower = p$pi.lb, pi_upper = p$pi.ub)
}
one_set <- function(d) {
  yi <- c(d$yi); vi <- c(d$vi); k <- length(yi)
  fits <- lapply(setNames(methods, methods), function(m) {
    f <- lapply(c(z = "z", t = "t", knha = "knha", adhoc = "adhoc"),
                function(t) fit(d, m, t))
    out <- c(list(tau2 = f$z$tau2, i2 = f$z$I2, h2 = f$z$H2, q = f$z$QE, q_p_value = f$z$QEp, weights = unname(weights(f$z)),
                  i2_q = max(0, 100 * (f$z$QE - (k - 1)) / f$z$QE)), lapply(f, block))
    # Higgins, Thompson and Spiegelhalter: t with k - 2 df on the Wald standard error.
    half <- qt(0.975, k - 2) * sqrt(f$z$tau2 + f$z$se^2)
    out$hts <- c(c(f$z$beta) - half, c(f$z$beta) + half)
    out
  })
  f <- fit(d, "REML")
  qp <- confint(f, control = list(tol = 1e-14, maxiter = 100000, tau2.max = 1e10))$random
  list(yi = yi, vi = vi, fits = fits, qp = list(tau2 = unname(qp[1, 2:3]), i2 = unname(qp[3, 2:3]), h2 = unname(qp[4, 2:3])),
       profile = profile_mean(yi, vi))
}
# Hardy and Thompson's interval by nested root finding.
profile_mean <- function(yi, vi) {
  root <- function(f, lo, hi) uniroot(f, c(lo, hi), tol = 1e-15, maxiter = 10000)$root
  tau2_at <- function(mu) {
    s <- function(t) sum(((yi - mu)^2 - vi - t) / (vi + t)^2)
    if (s(0) <= 0) 0 else root(s, 0, max((yi - mu)^2))
  }
  ll <- function(mu, t) -sum(log(vi + t) + (yi - mu)^2 / (vi + t)) / 2
  f <- fit(data.frame(yi, vi), "ML")
  mu <- c(f$beta); top <- ll(mu, f$tau2)
  gap <- function(m) 2 * (top - ll(m, tau2_at(m))) - qchisq(0.95, 1)
  far <- f$se; while (gap(mu - far) < 0 || gap(mu + far) < 0) far <- 2 * far
  list(ci_lower = root(gap, mu - far, mu), ci_upper = root(gap, mu, mu + far),
       p_value = pchisq(2 * (top - ll(0, tau2_at(0))), 1, lower.tail = FALSE))
}

subgroup <- function(d, by) {
  g <- factor(d[[by]])
  lapply(setNames(c("EE", "DL", "REML", "PM", "SJ"), c("EE", "DL", "REML", "PM", "SJ")), function(m) {
    fits <- lapply(levels(g), function(l) fit(d[g == l, ], m))
    b <- sapply(fits, function(f) c(f$beta)); s <- sapply(fits, function(f) f$se)
    between <- rma(b, sei = s, method = "EE")
    d$g <- g; common <- fit(d, m, mods = ~ g - 1)
    test <- fit(d, m, mods = ~ g)
    list(levels = levels(g), k = as.integer(table(g)), estimate = b, se = s, tau2 = sapply(fits, function(f) f$tau2),
         q_between = between$QE, q_between_p_value = between$QEp,
         common = list(tau2 = common$tau2, estimate = c(common$beta), se = common$se, q_between = test$QM, q_between_p_value = test$QMp))
  })
}

regress <- function(d, mods, m, test) {
  f <- fit(d, m, test, mods)
  null <- fit(d, m)
  x <- model.matrix(mods, d)
  ci <- tryCatch(unname(confint(f, control = list(tol = 1e-14, maxiter = 100000, tau2.max = 1e10))$random[1, 2:3]), error = function(e) NULL)
  pr <- predict(f)
  list(names = colnames(x), estimate = c(f$beta), se = f$se, statistic = f$zval, p_value = f$pval, ci_lower = f$ci.lb, ci_upper = f$ci.ub,
       qm = f$QM, qm_p_value = f$QMp, qe = f$QE, qe_p_value = f$QEp, tau2 = f$tau2, i2 = f$I2, h2 = f$H2,
       r2 = if (null$tau2 > 0) 100 * max(0, 1 - f$tau2 / null$tau2) else NULL, tau2_ci = ci,
       pred = pr$pred[1:2], pred_ci = pr$ci.lb[1:2], pred_pi = pr$pi.lb[1:2])
}

mh <- function(d) lapply(setNames(c("OR", "RR", "RD"), c("OR", "RR", "RD")), function(m) {
  f <- suppressWarnings(with(d, rma.mh(measure = m, ai = ai, n1i = n1i, ci = ci, n2i = n2i)))
  e <- with(d, escalc(m, ai = ai, n1i = n1i, ci = ci, n2i = n2i, add = 1 / 2, to = "only0", drop00 = (m != "RD")))
  e <- e[!is.na(e$yi), ]; w <- 1 / e$vi
  # RevMan's rule: DL's tau2 from the Q around the Mantel-Haenszel mean, then inverse variance.
  q <- sum(w * (e$yi - c(f$beta))^2)
  tau2 <- max(0, (q - (nrow(e) - 1)) / (sum(w) - sum(w^2) / sum(w)))
  r <- rma(yi, vi, data = e, tau2 = tau2)
  list(estimate = c(f$beta), se = f$se, p_value = f$pval, ci_lower = f$ci.lb, ci_upper = f$ci.ub, k = nrow(e), q = q, metafor_q = f$QE,
       random = list(tau2 = tau2, estimate = c(r$beta), se = r$se, ci_lower = r$ci.lb, ci_upper = r$ci.ub))
})
tables <- list(
  bcg = with(dat.bcg, data.frame(ai = tpos, n1i = tpos + tneg, ci = cpos, n2i = cpos + cneg)),
  nielweise2007 = dat.nielweise2007[, c("ai", "n1i", "ci", "n2i")],
  linde2005 = dat.linde2005[, c("ai", "n1i", "ci", "n2i")],
  yusuf1985 = na.omit(dat.yusuf1985[dat.yusuf1985$table == 6, c("ai", "n1i", "ci", "n2i")]),
  li2007 = dat.li2007[, c("ai", "n1i", "ci", "n2i")], lee2004 = dat.lee2004[, c("ai", "n1i", "ci", "n2i")]
)
binary <- lapply(lapply(tables, na.omit), function(d) {
  p <- suppressWarnings(with(d, rma.peto(ai = ai, n1i = n1i, ci = ci, n2i = n2i)))
  list(ai = d$ai, n1i = d$n1i, ci = d$ci, n2i = d$n2i, mh = mh(d),
       peto = list(estimate = c(p$beta), se = p$se, p_value = p$pval, ci_lower = p$ci.lb, ci_upper = p$ci.ub, q = p$QE, i2_q = p$I2))
})

bcg <- as.data.frame(sets$bcg_rr); bcg$alloc <- dat.bcg$alloc; bcg$ablat <- dat.bcg$ablat; bcg$year <- dat.bcg$year
bang <- dat.bangertdrowns2004[!is.na(dat.bangertdrowns2004$meta) & !is.na(dat.bangertdrowns2004$length), ]
bang$grade <- paste0("g", bang$grade)
formulas <- list(list("bcg", bcg, ~ ablat), list("bcg", bcg, ~ ablat + year), list("bcg", bcg, ~ ablat + alloc),
                 list("bangertdrowns2004", bang, ~ length + grade))
regression <- list()
for (f in formulas) for (m in methods) for (t in c("z", "t", "knha")) {
  if (m == "EE" && t == "knha") next
  regression[[length(regression) + 1]] <- c(list(data = f[[1]], terms = attr(terms(f[[3]]), "term.labels"), method = m, test = t), regress(f[[2]], f[[3]], m, t))
}
v <- function(f, b) unname(vif(f, btt = b)$vifs)
vifs <- list(
  bcg = v(fit(bcg, "REML", mods = ~ ablat + alloc), list("ablat", "alloc")),
  bangertdrowns2004 = v(fit(bang, "REML", mods = ~ length + grade), list("length", "grade")))
small <- bcg[1:6, ]
exact <- suppressMessages(permutest(rma(yi, vi, mods = ~ ablat, data = small, method = "DL", test = "knha"), exact = TRUE, progbar = FALSE))

out <- list(
  about = list(R = as.character(getRversion()), metafor = as.character(packageVersion("metafor")), metadat = as.character(packageVersion("metadat"))),
  sets = lapply(sets, one_set),
  subgroups = list(bcg = list(yi = bcg$yi, vi = bcg$vi, by = bcg$alloc, fits = subgroup(bcg, "alloc")),
                   bangertdrowns2004 = list(yi = bang$yi, vi = bang$vi, by = bang$grade, fits = subgroup(bang, "grade"))),
  binary = binary,
  moderators = list(bcg = list(yi = bcg$yi, vi = bcg$vi, ablat = bcg$ablat, year = bcg$year, alloc = bcg$alloc),
                    bangertdrowns2004 = list(yi = bang$yi, vi = bang$vi, length = bang$length, grade = bang$grade)),
  regression = regression, vif = vifs,
  permutation = list(yi = small$yi, vi = small$vi, ablat = small$ablat, p_value = exact$pval, qm_p_value = exact$QMp)
)
cat(jsonlite::toJSON(out, auto_unbox = TRUE, digits = I(17), na = "null", null = "null"))
