# Group sequential quantities as rectangle probabilities of the multivariate normal distribution (mvtnorm, Miwa's
# deterministic algorithm), solved with uniroot: no recursion, so independent of what is tested.
# Run: Rscript tests/reference/sequential_mvtnorm.R > tests/reference/sequential_mvtnorm.json
suppressPackageStartupMessages({library(mvtnorm); library(jsonlite)})
miwa <- Miwa(steps = 4097)

rectangle <- function(lower, upper, t, drift = 0) {
  if (length(t) == 1) return(pnorm(upper, drift * sqrt(t)) - pnorm(lower, drift * sqrt(t)))
  r <- outer(t, t, function(a, b) sqrt(pmin(a, b) / pmax(a, b)))
  # Miwa warns that it reads infinity as 1000
  suppressWarnings(as.numeric(pmvnorm(lower, upper, mean = drift * sqrt(t), corr = r, algorithm = miwa)))
}
root <- function(f, low, high) uniroot(f, c(low, high), tol = 1e-13, maxiter = 500)$root
spend <- function(t, error, method, rho) switch(method,
  "obrien-fleming" = 2 * pnorm(qnorm(error / 2) / sqrt(t)),
  pocock = error * log(1 + (exp(1) - 1) * t),
  power = error * t^rho)

boundary <- function(t, alpha, sides, method, rho) {
  spent <- c(0, spend(pmin(t, 1), alpha / sides, method, rho))  # a look beyond 1 spends all that is left
  u <- numeric(0)
  for (k in seq_along(t)) {
    lower <- if (sides == 2) -u else rep(-Inf, k - 1)
    above <- function(z) rectangle(c(lower, z), c(u, Inf), t[1:k])
    u[k] <- root(function(z) above(z) - (spent[k + 1] - spent[k]), 0.5, 6)
  }
  u
}
crossing <- function(t, lower, upper, drift) sapply(seq_along(t), function(k) {
  before <- seq_len(k - 1)
  rectangle(c(lower[before], upper[k]), c(upper[before], Inf), t[1:k], drift)
})

designs <- list(
  list(t = c(0.5, 1), alpha = 0.05, sides = 2, method = "obrien-fleming", rho = 1),
  list(t = c(0.35, 0.6, 1), alpha = 0.05, sides = 2, method = "obrien-fleming", rho = 1),
  list(t = c(0.35, 0.6, 1), alpha = 0.05, sides = 2, method = "pocock", rho = 1),
  list(t = c(0.2, 0.25, 0.9, 1), alpha = 0.1, sides = 2, method = "pocock", rho = 1),
  list(t = c(0.3, 0.4, 0.8, 1), alpha = 0.05, sides = 2, method = "power", rho = 2.5),
  list(t = c(0.3, 0.55, 0.8, 1), alpha = 0.025, sides = 1, method = "obrien-fleming", rho = 1),
  list(t = c(0.3, 0.55, 1.2), alpha = 0.05, sides = 1, method = "power", rho = 1.5)
)
drift <- 3.1
out <- lapply(designs, function(d) {
  u <- boundary(d$t, d$alpha, d$sides, d$method, d$rho)
  lower <- if (d$sides == 2) -u else rep(-Inf, length(u))
  power <- function(x) sum(crossing(d$t, lower, u, x))
  k <- length(u)
  # stage-wise order at the last look, observed Z 0.3 above its boundary
  z <- u[k] + 0.3
  upward <- function(x) sum(crossing(d$t, lower, c(u[-k], z), x))
  tail <- d$alpha / d$sides
  c(d, list(upper = u, drift = drift, crossing = crossing(d$t, lower, u, drift),
    inflation = (root(function(x) power(x) - 0.8, 1, 6) / (qnorm(1 - tail) + qnorm(0.8)))^2,
    stagewise = list(z = z, p = upward(0) * d$sides, lower = root(function(x) upward(x) - tail, -5, 5),
      median = root(function(x) upward(x) - 0.5, -5, 8), upper = root(function(x) upward(x) - 1 + tail, -5, 12))))
})

# one-sided futility under a given drift: P(between the boundaries so far, Z below) = what beta-spending allows
fut <- list(t = c(0.3, 0.55, 0.8, 1), alpha = 0.025, beta = 0.1, drift = 3.4)
fut$upper <- boundary(fut$t, fut$alpha, 1, "obrien-fleming", 1)
for (method in c("obrien-fleming", "pocock", "power")) {
  spent <- c(0, spend(fut$t, fut$beta, method, 2))
  l <- numeric(0)
  for (k in 1:3) l[k] <- root(function(z) rectangle(c(l, -Inf), c(fut$upper[seq_len(k - 1)], z), fut$t[1:k],
    fut$drift) - (spent[k + 1] - spent[k]), -6, 3)
  fut[[paste0("futility_", method)]] <- l
  fut[[paste0("power_", method)]] <- sum(crossing(fut$t, c(l, -Inf), fut$upper, fut$drift))
}
cat(toJSON(list(about = list(R = as.character(getRversion()), mvtnorm = as.character(packageVersion("mvtnorm")),
  note = "Miwa with 4097 steps"),
  designs = out, futility = fut), digits = I(15), auto_unbox = TRUE, pretty = TRUE), "\n")
