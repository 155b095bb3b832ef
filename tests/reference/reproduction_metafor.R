# Pooled estimates of the four published reviews, by metafor with tight convergence.
# Rscript reproduction_metafor.R <repository>  writes reproduction_metafor.json beside this script.
suppressMessages(library(metafor))
root <- "."
tight <- list(threshold = 1e-12, tol = 1e-15, maxiter = 10000)
counts <- function(review) {
  a <- read.csv(file.path(root, "data", review, "arms.csv"))
  if (is.null(a$comparison_id)) a$comparison_id <- a$study_id
  w <- reshape(a[, c("comparison_id", "role", "n", "events")], idvar = "comparison_id", timevar = "role", direction = "wide")
  w[order(w$comparison_id), ]
}
show <- function(x) c(as.numeric(x$beta), x$ci.lb, x$ci.ub)
inv <- function(x) { r <- show(x); c(1 / abs(r[1]), sort(1 / abs(r[2:3]))) }
fit <- function(d, method, ...) rma(d$yi, d$vi, method = method, control = tight, ...)
n <- counts("topical-nsaids-acute-pain")
args <- list(ai = n$events.intervention, n1i = n$n.intervention, ci = n$events.control, n2i = n$n.control)
rd <- do.call(escalc, c(list(measure = "RD", add = 0, to = "none"), args))
rr <- do.call(escalc, c(list(measure = "RR"), args))
b <- counts("bcg-vaccine")
bcg <- escalc(measure = "RR", ai = b$events.intervention, n1i = b$n.intervention, ci = b$events.control, n2i = b$n.control)
means <- function(review, outcome, measure) {
  s <- read.csv(file.path(root, "data", review, "arms.csv"))
  s <- s[s$outcome == outcome, ]
  i <- s[s$role == "intervention", ]; c_ <- s[s$role == "control", ]
  names(i) <- paste0(names(i), ".i"); names(c_) <- paste0(names(c_), ".c")
  m <- merge(i, c_, by.x = "comparison_id.i", by.y = "comparison_id.c")
  escalc(measure = measure, m1i = m$mean.i, sd1i = m$sd.i, n1i = m$n.i, m2i = m$mean.c, sd2i = m$sd.c, n2i = m$n.c)
}
md <- means("spinal-manipulation-low-back-pain", "pain_intensity", "MD")
hauser <- sapply(c("pain_intensity", "fatigue", "mood", "sleep", "qol"), function(outcome)
  list(show(fit(means("antidepressants-fibromyalgia", outcome, "SMD"), "DL"))))
out <- list(
  provenance = paste("metafor", packageVersion("metafor"), R.version.string),
  nnt = list(
    mh_sato = inv(do.call(rma.mh, c(list(measure = "RD"), args))),
    ee = inv(fit(rd, "FE")), dl = inv(fit(rd, "DL")), reml = inv(fit(rd, "REML")),
    reml_hk = inv(fit(rd, "REML", test = "knha")),
    crude = { p <- prop.test(c(sum(args$ai), sum(args$ci)), c(sum(args$n1i), sum(args$n2i)), correct = FALSE)
              c(1 / diff(rev(p$estimate)), sort(1 / p$conf.int)) }
  ),
  nsaids_rr = list(dl = exp(show(fit(rr, "DL"))), reml_hk = exp(show(fit(rr, "REML", test = "knha"))),
                   mh = exp(show(do.call(rma.mh, c(list(measure = "RR"), args))))),
  bcg_rr = list(dl = exp(show(fit(bcg, "DL"))), reml = exp(show(fit(bcg, "REML")))),
  antidepressants = hauser,
  manipulation = list(dl = show(fit(md, "DL")))
)
json <- function(x) {
  if (is.list(x)) paste0("{", paste0('"', names(x), '": ', sapply(x, json), collapse = ", "), "}")
  else if (is.character(x)) paste0('"', x, '"')
  else paste0("[", paste(sprintf("%.15g", x), collapse = ", "), "]")
}
writeLines(json(out))
