# Mantel-Haenszel and Peto by metafor: estimates, weights, subtotals and their test, and subgroup tests with
# subgroups of one trial. Prints JSON; run from the top of the repository.
suppressMessages({library(metafor); library(metadat); library(jsonlite)})

tight <- list(threshold = 1e-12, maxiter = 10000, stepadj = 0.5)
fit_of <- function(d, measure, peto = FALSE) {
  fit <- if (peto) rma.peto(ai = d$a, n1i = d$n1, ci = d$c, n2i = d$n2)
         else rma.mh(measure = measure, ai = d$a, n1i = d$n1, ci = d$c, n2i = d$n2)
  list(estimate = as.numeric(fit$beta), se = fit$se, ci = c(fit$ci.lb, fit$ci.ub), p = fit$pval, q = fit$QE, k = fit$k,
       weights = as.numeric(weights(fit)), used = as.numeric(sub("study ", "", tolower(names(weights(fit))))))
}
difference <- function(fits) {
  est <- sapply(fits, function(f) f$estimate); se <- sapply(fits, function(f) f$se)
  w <- 1 / se^2; q <- sum(w * (est - sum(w * est) / sum(w))^2)
  list(q = q, df = length(est) - 1, p = pchisq(q, length(est) - 1, lower.tail = FALSE))
}
bcg <- with(dat.bcg, data.frame(a = tpos, n1 = tpos + tneg, c = cpos, n2 = cpos + cneg, group = alloc, author))
niel <- with(dat.nielweise2007, data.frame(a = ai, n1 = n1i, c = ci, n2 = n2i, author))
out <- list()
for (name in c("bcg", "nielweise")) {
  d <- if (name == "bcg") bcg else niel
  for (measure in c("RR", "OR", "RD", "PETO")) {
    one <- list(data = as.list(d[c("a", "n1", "c", "n2")]), labels = as.character(d$author))
    out[[paste(name, measure)]] <- c(one, fit_of(d, measure, measure == "PETO"))
  }
}
for (measure in c("RR", "OR", "RD", "PETO")) {
  parts <- lapply(split(bcg, bcg$group), fit_of, measure = measure, peto = measure == "PETO")
  out[[paste("bcg by allocation", measure)]] <- list(subtotals = parts, test = difference(parts))
}
groups <- function(yi, vi, by, method = "REML") {
  fits <- lapply(split(data.frame(yi, vi), by, drop = TRUE), function(d) {
    f <- rma(d$yi, d$vi, method = method, control = tight)
    list(estimate = as.numeric(f$beta), se = f$se, k = f$k)
  })
  list(yi = as.numeric(yi), vi = as.numeric(vi), by = as.character(by), subtotals = fits, test = difference(fits))
}
gibson <- escalc("SMD", m1i = m1i, sd1i = sd1i, n1i = n1i, m2i = m2i, sd2i = sd2i, n2i = n2i, data = dat.gibson2002)
gibson <- gibson[!is.na(gibson$yi), ]
out$gibson <- groups(gibson$yi, gibson$vi, gibson$type)
hart <- escalc("IRR", x1i = x1i, x2i = x2i, t1i = t1i, t2i = t2i, data = dat.hart1999)
out$hart <- groups(hart$yi, hart$vi, hart$prevtype)
hine <- escalc("RD", ai = ai, n1i = n1i, ci = ci, n2i = n2i, data = dat.hine1989)
out$hine <- list(yi = as.numeric(hine$yi), vi = as.numeric(hine$vi))
out$about <- paste("metafor", packageVersion("metafor"))
cat(toJSON(out, digits = NA, auto_unbox = TRUE))
