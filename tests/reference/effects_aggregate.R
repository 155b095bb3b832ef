# Reference values for comparisons of one trial that share patients: metafor's aggregate(struct = "CS"), then rma().
# Rscript tests/reference/effects_aggregate.R > tests/reference/effects_aggregate.json (from the top of the repository)
# Debian packages: r-cran-metafor, r-cran-jsonlite.
suppressPackageStartupMessages({library(metafor); library(jsonlite)})

# Hazard ratios with 95% intervals: yy has two comparisons with one placebo group.
hr <- data.frame(study = c("xx", "yy", "yy", "zz"), est = c(0.73, 0.69, 0.65, 0.88),
                 low = c(0.55, 0.51, 0.46, 0.70), high = c(0.98, 0.92, 0.90, 1.11))
hr$yi <- log(hr$est); hr$vi <- ((log(hr$high) - log(hr$low)) / (2 * qnorm(0.975)))^2
# Three comparisons of one trial among four trials, variances far apart.
md <- data.frame(study = c("a", "b", "b", "b", "c", "d"), yi = c(-1.2, -0.4, -2.1, 0.3, -0.9, -1.6),
                 vi = c(0.16, 0.09, 0.64, 0.25, 0.2025, 0.36))
one <- function(d, rho) {
  d <- escalc(measure = "GEN", yi = yi, vi = vi, data = d)
  a <- aggregate(d, cluster = study, struct = "CS", rho = rho)
  f <- rma(yi, vi, data = a, test = "knha", control = list(threshold = 1e-12, maxiter = 1000))
  list(rho = rho, study = a$study, yi = c(a$yi), vi = a$vi, pooled = c(f$beta), ci = c(f$ci.lb, f$ci.ub))
}
sets <- list(hr = hr, md = md)
out <- lapply(sets, function(d) list(study = d$study, yi = d$yi, vi = d$vi, by = lapply(c(0, 0.3, 0.5, 0.9), function(r) one(d, r))))
cat(toJSON(out, digits = NA, auto_unbox = TRUE, pretty = TRUE), "\n")
