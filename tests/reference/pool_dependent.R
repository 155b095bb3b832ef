# Reference values for dependent effects: three-level model (rma.mv), CR2 (clubSandwich) and aggregation by metafor.
# Rscript tests/reference/pool_dependent.R > tests/reference/pool_dependent.json      (from the top of the repository)
# Debian packages: r-cran-metafor, r-cran-metadat, r-cran-clubsandwich, r-cran-jsonlite.
suppressPackageStartupMessages({library(metafor); library(clubSandwich)})

sets <- list(
  konstantopoulos2011 = with(dat.konstantopoulos2011, data.frame(yi = c(yi), vi, cluster = district, inner = school)),
  crede2010 = { d <- escalc("ZCOR", ri = ri, ni = ni, data = dat.crede2010[dat.crede2010$criterion == "grade", ])
                data.frame(yi = c(d$yi), vi = d$vi, cluster = d$studyid, inner = d$sampleid) },
  bornmann2007 = { d <- escalc("OR", ai = waward, n1i = wtotal, ci = maward, n2i = mtotal, data = dat.bornmann2007)
                   data.frame(yi = c(d$yi), vi = d$vi, cluster = as.integer(factor(d$study)), inner = d$obs) },
  knapp2017 = with(dat.knapp2017, data.frame(yi, vi, cluster = study, inner = seq_along(yi)))
)
sets <- lapply(sets, function(d) d[!is.na(d$yi) & !is.na(d$vi), ])

# rma.mv's optimiser stops at about 1e-8: Newton's steps on the REML score bring its result to rounding.
polish <- function(y, V, X, Z, s) {
  for (i in 1:30) {
    S <- V; for (j in 1:2) S <- S + s[j] * Z[[j]]
    W <- solve(S); P <- W - W %*% X %*% solve(t(X) %*% W %*% X) %*% t(X) %*% W
    free <- s > 0
    g <- sapply(Z, function(z) c(t(y) %*% P %*% z %*% P %*% y) - sum(diag(P %*% z))) / 2
    H <- outer(1:2, 1:2, Vectorize(function(a, b)
      sum(diag(P %*% Z[[a]] %*% P %*% Z[[b]])) / 2 - c(t(y) %*% P %*% Z[[a]] %*% P %*% Z[[b]] %*% P %*% y)))
    step <- rep(0, 2); step[free] <- solve(-H[free, free, drop = FALSE], g[free]); s <- s + step
  }
  s
}
one <- function(d, rho = NULL) {
  V <- if (is.null(rho)) diag(d$vi) else outer(sqrt(d$vi), sqrt(d$vi)) * ifelse(outer(d$cluster, d$cluster, "=="), rho, 0)
  diag(V) <- d$vi
  d$unit <- interaction(d$cluster, d$inner, drop = TRUE)
  random <- list(~ 1 | cluster, ~ 1 | unit)
  f <- rma.mv(yi, V, random = random, data = d)
  Z <- lapply(list(d$cluster, d$unit), function(g) outer(as.character(g), as.character(g), "==") * 1)
  s <- polish(d$yi, V, matrix(1, nrow(d), 1), Z, ifelse(f$sigma2 < 1e-9, 0, f$sigma2))
  f <- rma.mv(yi, V, random = random, data = d, sigma2 = s)
  p <- predict(f)
  r <- coef_test(f, vcov = "CR2", cluster = d$cluster, test = "Satterthwaite")
  W <- solve(V); P <- W - W %*% matrix(1, nrow(d), nrow(d)) %*% W / sum(W)
  typical <- (nrow(d) - 1) / sum(diag(P))
  list(yi = d$yi, vi = d$vi, cluster = as.integer(factor(d$cluster)), inner = as.integer(factor(d$unit)), rho = rho, sigma2 = s,
       estimate = c(f$beta), se = f$se, p_value = f$pval, ci_lower = f$ci.lb, pi_lower = p$pi.lb, q = f$QE, q_p_value = f$QEp,
       log_likelihood = c(logLik(f)), i2 = 100 * s / (sum(s) + typical),
       cr2 = list(se = r$SE, df = r[["df_Satt"]], p_value = r[["p_Satt"]]))
}
moderated <- function() {
  d <- dat.konstantopoulos2011; d$yi <- c(d$yi)
  x <- d$year - mean(d$year); V <- diag(d$vi)
  f <- rma.mv(yi, V, mods = ~ x, random = ~ 1 | district / school, data = d)
  Z <- lapply(list(d$district, interaction(d$district, d$school)), function(g) outer(as.character(g), as.character(g), "==") * 1)
  s <- polish(d$yi, V, cbind(1, x), Z, f$sigma2)
  f <- rma.mv(yi, V, mods = ~ x, random = ~ 1 | district / school, data = d, sigma2 = s)
  r <- coef_test(f, vcov = "CR2", cluster = d$district, test = "Satterthwaite")
  u <- rma(yi, vi, mods = ~ x, data = d, tau2 = 0.08)
  ru <- coef_test(u, vcov = "CR2", cluster = d$district, test = "Satterthwaite")
  list(x = x, sigma2 = s, estimate = c(f$beta), se = f$se, cr2 = list(se = r$SE, df = r[["df_Satt"]], p_value = r[["p_Satt"]]),
       simple = list(tau2 = 0.08, estimate = c(u$beta), se = ru$SE, df = ru[["df_Satt"]], p_value = ru[["p_Satt"]]))
}
collapse <- function(d) lapply(list(weighted = TRUE, plain = FALSE), function(w) {
  e <- escalc("GEN", yi = d$yi, vi = d$vi, data = d)
  a <- aggregate(e, cluster = d$cluster, rho = 0.6, weighted = w)
  list(cluster = as.integer(factor(a$cluster)), yi = c(a$yi), vi = a$vi)
})
out <- list(
  about = list(R = as.character(getRversion()), metafor = as.character(packageVersion("metafor")), clubSandwich = as.character(packageVersion("clubSandwich"))),
  three_level = c(lapply(sets, one), list(konstantopoulos2011_correlated = one(sets$konstantopoulos2011, 0.5))),
  moderated = moderated(), aggregate = lapply(sets["konstantopoulos2011"], collapse)
)
cat(jsonlite::toJSON(out, auto_unbox = TRUE, digits = I(17), na = "null", null = "null"))
