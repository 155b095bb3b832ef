# Reference values for the Bayesian model and the bootstrap prediction interval, by base R's integrate() and uniroot().
# Rscript tests/reference/pool_bayes.R > tests/reference/pool_bayes.json      (from the top of the repository)
# Debian packages: r-cran-metafor, r-cran-metadat (data only), r-cran-jsonlite.
suppressPackageStartupMessages(library(metafor))
bcg <- escalc("RR", ai = tpos, bi = tneg, ci = cpos, di = cneg, data = dat.bcg)
normand <- escalc("SMD", m1i = m1i, sd1i = sd1i, n1i = n1i, m2i = m2i, sd2i = sd2i, n2i = n2i, data = dat.normand1999)
lee <- escalc("OR", ai = ai, n1i = n1i, ci = ci, n2i = n2i, data = dat.lee2004)
sets <- list(bcg = bcg, normand = normand, bcg_2 = bcg[1:2, ], normand_3 = normand[1:3, ], lee_5 = lee[1:5, ])
sets <- lapply(sets, function(d) list(yi = c(d$yi), vi = c(d$vi)))
log_t <- function(t, m, s, df) dt((2 * log(t) - m) / s, df, log = TRUE) + log(2 / s) - log(t)
priors <- list(
  half_normal = list(family = "half-normal", scale = 0.5, f = function(t) dnorm(t, 0, 0.5, log = TRUE) + log(2)),
  half_cauchy = list(family = "half-cauchy", scale = 0.3, f = function(t) dcauchy(t, 0, 0.3, log = TRUE) + log(2)),
  half_t = list(family = "half-t", scale = 0.4, df = 4, f = function(t) dt(t / 0.4, 4, log = TRUE) + log(2 / 0.4)),
  log_normal = list(family = "log-normal", location = -1.83, scale = 1.52, f = function(t) dlnorm(t, -1.83 / 2, 1.52 / 2, log = TRUE)),
  log_t = list(family = "log-t", location = -3.44, scale = 2.59, df = 5, f = function(t) log_t(t, -3.44, 2.59, 5))
)
# Integral over tau in log(tau), in pieces so that integrate() keeps its promise.
cuts <- c(-640, -320, -160, -90, seq(-60, -8, 4), seq(-7, 4, 0.25), seq(5, 60, 5), 90, 160, 320)
total <- function(f) sum(mapply(function(a, b) integrate(f, a, b, rel.tol = 1e-12, abs.tol = 0, subdivisions = 500, stop.on.error = FALSE)$value,
                                head(cuts, -1), tail(cuts, -1)))
one <- function(d, p) {
  given <- function(t) { w <- outer(t, d$vi, function(t, v) 1 / (v + t^2)); W <- rowSums(w); m <- c(w %*% d$yi) / W
    list(m = m, s = 1 / sqrt(W), l = rowSums(log(w) - w * (outer(m, d$yi, "-"))^2) / 2 - log(W) / 2) }
  top <- max(given(exp(seq(-10, 5, 0.05)))$l)
  post <- function(x) { t <- exp(x); exp(p$f(t) + given(t)$l - top + x) }
  z <- total(post)
  mean_of <- function(g) total(function(x) { k <- given(exp(x)); post(x) * g(exp(x), k$m, k$s) }) / z
  quantile_of <- function(cdf, q, lo, hi) uniroot(function(x) cdf(x) - q, c(lo, hi), tol = 1e-11)$root
  mu <- function(x) mean_of(function(t, m, s) pnorm(x, m, s)); new <- function(x) mean_of(function(t, m, s) pnorm(x, m, sqrt(s^2 + t^2)))
  tau <- function(t) { b <- c(cuts[cuts < log(t)], log(t))
    sum(mapply(function(a, b) integrate(post, a, b, rel.tol = 1e-12, abs.tol = 0, subdivisions = 500, stop.on.error = FALSE)$value, head(b, -1), tail(b, -1))) / z }
  m <- mean_of(function(t, m, s) m); tm <- mean_of(function(t, m, s) t)
  probs <- c(0.025, 0.5, 0.975)
  list(mu_mean = m, mu_sd = sqrt(mean_of(function(t, k, s) s^2 + (k - m)^2)), tau_mean = tm, tau_sd = sqrt(mean_of(function(t, k, s) (t - tm)^2)),
       new_sd = sqrt(mean_of(function(t, k, s) s^2 + t^2 + (k - m)^2)),
       mu = sapply(probs, function(q) quantile_of(mu, q, -20, 20)), new = sapply(probs, function(q) quantile_of(new, q, -100, 100)),
       tau = sapply(probs, function(q) quantile_of(tau, q, 1e-8, 50)), p_below_0 = mu(0), p_below_minus_0.2 = mu(-0.2), p_new_below_minus_0.2 = new(-0.2))
}
bayes <- list()
for (s in names(sets)) for (p in names(priors)) {
  if (s == "bcg_2" && p %in% c("half_cauchy", "log_t")) next
  bayes[[length(bayes) + 1]] <- c(list(set = s, prior = priors[[p]][setdiff(names(priors[[p]]), "f")]), one(sets[[s]], priors[[p]]))
}

# Nagashima and others: quantiles of the confidence distribution of tau2 at 2000 midpoints, Imhof's formula for Q,
# and the t deviate integrated out.
imhof <- function(q, lambda) {
  f <- function(u) sin(colSums(atan(outer(lambda, u))) / 2 - q * u / 2) / (u * exp(colSums(log1p(outer(lambda, u)^2)) / 4))
  0.5 - integrate(f, 0, Inf, rel.tol = 1e-7, subdivisions = 2000, stop.on.error = FALSE)$value / pi
}
bootstrap <- function(d, n = 2000) {
  w <- 1 / d$vi; A <- diag(w) - outer(w, w) / sum(w); k <- length(w); q <- c(d$yi %*% A %*% d$yi)
  below <- function(t) { r <- sqrt(d$vi + t); imhof(q, eigen(r * t(r * A), symmetric = TRUE, only.values = TRUE)$values[1:(k - 1)]) }
  # The distribution function of tau2 on a grid, inverted by a monotone spline.
  t <- c(0, exp(seq(log(min(d$vi) / 100), log(1e5 * max(d$vi)), length.out = 500)))
  h <- cummax(pmin(pmax(1 - sapply(t, below), 0), 1))
  u <- (seq_len(n) - 0.5) / n
  step <- c(TRUE, diff(h) > 1e-9)
  inverse <- splinefun(h[step], log(t[step] + min(d$vi)), method = "monoH.FC")
  tau2 <- ifelse(u <= h[1], 0, exp(inverse(pmin(u, max(h)))) - min(d$vi))
  W <- outer(tau2, d$vi, function(t, v) 1 / (v + t)); m <- c(W %*% d$yi) / rowSums(W)
  s <- sqrt(rowSums(W * outer(m, d$yi, "-")^2) / (k - 1) / rowSums(W))
  cdf <- function(x) mean(sapply(seq_len(n), function(i) integrate(function(z) dnorm(z) * pt((x - m[i] - sqrt(tau2[i]) * z) / s[i], k - 1), -9, 9, rel.tol = 1e-9)$value))
  sapply(c(0.025, 0.975), function(p) uniroot(function(x) cdf(x) - p, c(-30, 30), tol = 1e-7)$root)
}
sets_boot <- sets[c("bcg", "normand", "normand_3", "lee_5")]
out <- list(about = list(R = as.character(getRversion())), sets = sets, bayes = bayes, bootstrap = lapply(sets_boot, bootstrap))
cat(jsonlite::toJSON(out, auto_unbox = TRUE, digits = I(17), na = "null", null = "null"))
