# The three student paths of docs/: what metafor gives by each method that they name, from the tables of the gallery.
# Rscript tests/reference/gallery_paths.R > tests/reference/gallery_paths.json      (from the top of the repository)
suppressPackageStartupMessages(library(metafor))
tight <- list(threshold = 1e-12, maxiter = 10000)

wide <- function(review, outcome, columns) {
  arms <- read.csv(file.path("gallery", review, "arms.csv"))
  arms <- arms[arms$outcome == outcome, c("study_id", "role", columns)]
  e <- arms[arms$role == "intervention", ]; c <- arms[arms$role == "control", ]
  merge(e, c, by = "study_id", suffixes = c(".e", ".c"))
}
row <- function(fit, back = exp) list(k = fit$k, estimate = back(as.numeric(fit$beta)), ci_lower = back(fit$ci.lb), ci_upper = back(fit$ci.ub))
common <- function(d, back = exp, ...) row(rma(yi, vi, data = d, method = "EE", ...), back)
dl <- function(d, back = exp, ...) row(rma(yi, vi, data = d, method = "DL", ...), back)
hk <- function(d, back = exp) row(rma(yi, vi, data = d, method = "REML", test = "knha", control = tight), back)

# RevMan 5's random effects: Q about the Mantel-Haenszel estimate, then inverse variance with that tau2. A trial with a
# zero cell has 0.5 in each cell everywhere (Deeks and Higgins 2010, Statistical algorithms in Review Manager 5).
revman <- function(d, mh, back = exp) {
  w <- 1 / d$vi; q <- sum(w * (d$yi - as.numeric(mh$beta))^2)
  tau2 <- max(0, (q - (nrow(d) - 1)) / (sum(w) - sum(w^2) / sum(w)))
  c(row(rma(yi, vi, data = d, tau2 = tau2, control = tight), back), list(q = q, tau2 = tau2))
}

a <- wide("laopaiboon2015-azithromycin", "clinical_failure", c("n", "events"))
mh <- rma.mh(measure = "RR", ai = events.e, n1i = n.e, ci = events.c, n2i = n.c, data = a, add = c(0.5, 0.5), to = c("only0", "only0"))
rr <- escalc("RR", ai = events.e, n1i = n.e, ci = events.c, n2i = n.c, data = a, add = 0.5, to = "only0")

m <- wide("marchi2022-ketamine-psychiatry", "anxiety", c("n", "mean", "sd"))
smd <- function(vtype) escalc("SMD", m1i = mean.e, sd1i = sd.e, n1i = n.e, m2i = mean.c, sd2i = sd.c, n2i = n.c, data = m, vtype = vtype)
# RevMan's: J and the variance by its own approximations.
total <- m$n.e + m$n.c
pooled <- sqrt(((m$n.e - 1) * m$sd.e^2 + (m$n.c - 1) * m$sd.c^2) / (total - 2))
g <- (m$mean.e - m$mean.c) / pooled * (1 - 3 / (4 * total - 9))
book <- data.frame(yi = g, vi = total / (m$n.e * m$n.c) + g^2 / (2 * (total - 3.94)))

# Zero cells get 0.5, trials without events leave; Peto's and the Mantel-Haenszel method leave the counts as they are.
rare <- function(outcome) {
  n <- wide("nissen2007-rosiglitazone", outcome, c("n", "events"))
  or <- escalc("OR", ai = events.e, n1i = n.e, ci = events.c, n2i = n.c, data = n[n$events.e + n$events.c > 0, ], add = 0.5, to = "only0")
  list(
    peto = row(rma.peto(ai = events.e, n1i = n.e, ci = events.c, n2i = n.c, data = n)),
    mh = row(rma.mh(measure = "OR", ai = events.e, n1i = n.e, ci = events.c, n2i = n.c, data = n)),
    iv = common(or), "iv dl" = dl(or), "reml hk" = hk(or)
  )
}
infarction <- rare("myocardial_infarction"); death <- rare("cardiovascular_death")

found <- list(
  "laopaiboon mh dl" = revman(rr, mh), "laopaiboon mh" = row(mh), "laopaiboon iv" = common(rr),
  "laopaiboon iv dl" = dl(rr), "laopaiboon reml hk" = hk(rr),
  "marchi LS" = dl(smd("LS"), identity), "marchi UB" = dl(smd("UB"), identity), "marchi LS2" = dl(smd("LS2"), identity),
  "marchi RevMan" = dl(book, identity), "marchi reml hk" = hk(smd("LS"), identity),
  infarction = infarction, death = death
)
cat(jsonlite::toJSON(found, auto_unbox = TRUE, digits = 15, pretty = TRUE), "\n")
