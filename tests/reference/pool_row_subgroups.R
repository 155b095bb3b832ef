# Reference values for subgroups of rows: metafor's rma() of each row (RevMan's way) and of each trial, in all and by age.
# Rscript tests/reference/pool_row_subgroups.R > tests/reference/pool_row_subgroups.json (from the top of the repository)
# Debian packages: r-cran-metafor, r-cran-jsonlite.
suppressPackageStartupMessages({library(metafor); library(jsonlite)})

# Trial A has a comparison in each age; D has two doses against one placebo group of 30.
d <- data.frame(study = c("A", "A", "B", "C", "D", "D"), age = c("young", "old", "young", "old", "young", "young"),
                ai = c(5, 7, 6, 10, 4, 2), n1i = c(50, 40, 60, 80, 30, 30),
                ci = c(10, 9, 12, 14, 8, 8), n2i = c(50, 40, 60, 80, 30, 30))
rows <- escalc(measure = "RR", ai = ai, n1i = n1i, ci = ci, n2i = n2i, data = d)
# One effect of each trial: D's doses as one arm, A's comparisons at a correlation of 0.5.
one <- data.frame(study = "D", age = "young", ai = 6, n1i = 60, ci = 8, n2i = 30)
one <- escalc(measure = "RR", ai = ai, n1i = n1i, ci = ci, n2i = n2i, data = one)
keep <- c("study", "age", "yi", "vi")
parted <- rbind(as.data.frame(rows)[rows$study != "D", keep], as.data.frame(one)[, keep])
parted <- escalc(measure = "GEN", yi = yi, vi = vi, data = parted)
trials <- aggregate(parted, cluster = study, struct = "CS", rho = 0.5)
fit <- function(x, method, test) rma(yi, vi, data = x, method = method, test = test, control = list(threshold = 1e-12, maxiter = 1000))
said <- function(f) list(estimate = c(f$beta), se = f$se, ci_lower = f$ci.lb, ci_upper = f$ci.ub, q = f$QE, comparisons = f$k)
# The test between the subtotals takes their Wald standard errors, whatever the intervals are.
wald <- function(x, method) { f <- fit(x, method, "z"); c(f$beta, f$se) }
all_of <- function(total, by, method, test) {
  ages <- c("young", "old")
  w <- sapply(ages, function(a) wald(by[by$age == a, ], method))
  mean <- weighted.mean(w[1, ], 1 / w[2, ]^2)
  list(total = said(fit(total, method, test)), q_between = sum((w[1, ] - mean)^2 / w[2, ]^2),
       subgroups = lapply(setNames(ages, ages), function(a) said(fit(by[by$age == a, ], method, test))))
}
out <- list(`revman-classic` = all_of(rows, rows, "DL", "z"), cochrane = all_of(trials, parted, "REML", "knha"))
cat(toJSON(out, digits = NA, auto_unbox = TRUE, pretty = TRUE), "\n")
