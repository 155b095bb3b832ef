# Response to ketamine, five trials (three crossover): log RR, its variance with phi, and the pooled RR.
# Run: Rscript effects_crossover_pool.R > effects_crossover_pool.json
# A trial with a zero cell gets 0.5 in each of its four cells (n becomes n + 1); phi's limit is that of the corrected margins.
suppressMessages(library(metafor))
d <- data.frame(e1 = c(7, 5, 14, 53, 8), n1 = c(12, 10, 30, 65, 12), e2 = c(2, 0, 2, 13, 3), n2 = c(12, 10, 30, 32, 12),
                crossover = c(1, 1, 1, 0, 0))
z <- d$e1 == 0 | d$e2 == 0 | d$e1 == d$n1 | d$e2 == d$n2
d[z, 1:4] <- d[z, 1:4] + rep(c(0.5, 1, 0.5, 1), each = sum(z))
a <- 1 / d$e1 - 1 / d$n1
b <- 1 / d$e2 - 1 / d$n2
yi <- log(d$e1 / d$n1) - log(d$e2 / d$n2)
p <- pmin(d$e1 / d$n1, d$e2 / d$n2)
q <- pmax(d$e1 / d$n1, d$e2 / d$n2)
limit <- sqrt(p * (1 - q) / (q * (1 - p)))
arr <- function(x) paste0("[", paste(sprintf("%.17g", as.numeric(x)), collapse = ", "), "]")
pool <- function(vi) {
  dl <- rma(yi, vi, method = "DL")
  hk <- rma(yi, vi, method = "REML", test = "knha", control = list(threshold = 1e-12, maxiter = 10000))
  f <- function(x) arr(exp(c(x$beta, x$ci.lb, x$ci.ub)))
  paste0("{\"vi\": ", arr(vi), ", \"DL\": ", f(dl), ", \"REML_HK\": ", f(hk), "}")
}
cat("{\"about\": {\"package\": \"metafor\", \"version\": \"", as.character(packageVersion("metafor")), "\", \"script\": \"effects_crossover_pool.R\"},\n",
    "\"yi\": ", arr(yi), ",\n\"limit\": ", arr(limit), ",\n",
    "\"independent\": ", pool(a + b), ",\n",
    "\"phi_0.2\": ", pool(a + b - 2 * d$crossover * pmin(0.2, limit) * sqrt(a * b)), "}\n", sep = "")
