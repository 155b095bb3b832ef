# Reference values of the search for printed estimates: parts of the BCG trials, a slope, variances of the SMD.
# Rscript tests/reference/ledger_metafor.R > tests/reference/ledger_metafor.json (from the root; metafor 3.8, R 4)
suppressMessages(library(metafor))
tight <- list(threshold = 1e-12, maxiter = 10000)
arms <- read.csv("data/bcg-vaccine/arms.csv")
studies <- read.csv("data/bcg-vaccine/studies.csv")
i <- arms[arms$role == "intervention", ]
c <- arms[arms$role == "control", ][match(i$study_id, arms$study_id[arms$role == "control"]), ]
s <- studies[match(i$study_id, studies$study_id), ]
counts <- list(ai = i$events, n1i = i$n, ci = c$events, n2i = c$n)
rr <- do.call(escalc, c(counts, measure = "RR"))
three <- function(fit, i = 1) as.numeric(c(fit$b[i], fit$ci.lb[i], fit$ci.ub[i], fit$se[i]))
dl <- function(keep) three(rma(yi, vi, data = rr[keep, ], method = "DL"))
random <- s$allocation == "random"
slope <- function(...) three(rma(yi, vi, mods = ~absolute_latitude, data = cbind(rr, s["absolute_latitude"]), control = tight, ...), 2)
# Two arms of which only the formula of the variance differs between ways (made up: the numbers of no trial).
n1 <- c(12, 20, 31); n2 <- c(14, 18, 29); m1 <- c(5.1, 4.2, 6.3); m2 <- c(6.4, 5.9, 6.6)
s1 <- c(1.9, 2.4, 2.2); s2 <- c(2.1, 1.7, 2.6)
smd <- function(vtype) {
  es <- escalc("SMD", m1i = m1, sd1i = s1, n1i = n1, m2i = m2, sd2i = s2, n2i = n2, vtype = vtype)
  three(rma(yi, vi, data = es, method = "DL"))
}
md <- escalc("MD", m1i = m1, sd1i = s1, n1i = n1, m2i = m2, sd2i = s2, n2i = n2, vtype = "HO")
peto <- do.call(rma.peto, counts)
mh <- do.call(rma.mh, c(counts, measure = "OR"))
num <- function(x) paste0("[", paste(sprintf("%.12g", x), collapse = ", "), "]")
out <- list(
  random = dl(random), without_s01 = dl(s$study_id != "s01"), peto = three(peto), mh_or = three(mh),
  slope_dl = slope(method = "DL"), slope_reml_hk = slope(method = "REML", test = "knha"),
  smd_ls = smd("LS"), smd_ub = smd("UB"), md_pooled = three(rma(yi, vi, data = md, method = "DL"))
)
cat("{\n", paste0('  "', names(out), '": ', sapply(out, num), collapse = ",\n"), "\n}\n", sep = "")
