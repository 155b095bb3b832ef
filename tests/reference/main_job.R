# Reference values of five reviews' main analyses (duloxetine.R has the sixth) by metafor, from the raw tables and not from our effect sizes.
# Rscript tests/reference/main_job.R > tests/reference/main_job.json      (from the top of the repository)
suppressPackageStartupMessages(library(metafor))
tight <- list(threshold = 1e-12, tol = 1e-14, maxiter = 10000)
wide <- list(tol = 1e-13, maxiter = 10000, tau2.max = 1e6)

# Counts of the response trials (immediate window), Lumanauw's two ketamine arms added up; crossover trials flagged.
response <- data.frame(
  study = c("kvarnstrom2003", "kvarnstrom2004", "lemming2005", "lumanauw2019", "noppers2011"),
  e1 = c(7, 5, 14, 53, 8), n1 = c(12, 10, 30, 65, 12), e2 = c(2, 0, 2, 13, 3), n2 = c(12, 10, 30, 32, 12),
  crossover = c(TRUE, TRUE, TRUE, FALSE, FALSE)
)
independent <- escalc("RR", ai = e1, n1i = n1, ci = e2, n2i = n2, data = response, add = 0.5, to = "only0")
# Delta method for the log risk ratio of paired counts: var = a + b - 2 phi sqrt(ab), a = 1/e1 - 1/n, b = 1/e2 - 1/n.
corrected <- response$e1 == 0 | response$e2 == 0
e1 <- response$e1 + 0.5 * corrected; n1 <- response$n1 + corrected
e2 <- response$e2 + 0.5 * corrected; n2 <- response$n2 + corrected
a <- 1 / e1 - 1 / n1; b <- 1 / e2 - 1 / n2
phi <- ifelse(response$crossover, 0.2, 0)
paired <- data.frame(yi = log(e1 / n1 / (e2 / n2)), vi = a + b - 2 * phi * sqrt(a * b))

# SMD from an exact p-value of a two-sample t test, lower with the intervention; exact J; variance LS.
J <- function(m) exp(lgamma(m / 2) - 0.5 * log(m / 2) - lgamma((m - 1) / 2))
smd_from_p <- function(p, n1, n2) {
  m <- n1 + n2 - 2; g <- -J(m) * qt(1 - p / 2, m) * sqrt(1 / n1 + 1 / n2)
  c(g, 1 / n1 + 1 / n2 + g^2 / (2 * (n1 + n2)))
}
# Within-person t: metafor's SMCC at r = 0.5, where the SD of the difference equals that of a period.
paired_from_p <- function(p, n) {
  es <- escalc("SMCC", m1i = -qt(1 - p / 2, n - 1) / sqrt(n), m2i = 0, sd1i = 1, sd2i = 1, ni = n, ri = 0.5)
  c(es$yi, es$vi)
}
sigtermans <- escalc("SMD", m1i = 2.68, sd1i = 0.51 * sqrt(30), n1i = 30, m2i = 5.45, sd2i = 0.48 * sqrt(30), n2i = 30)
week_1 <- rbind(smd_from_p(0.02, 20, 20), c(sigtermans$yi, sigtermans$vi))
pickering <- c(-0.2, ((0.3 + 0.6) / (2 * qnorm(0.975)))^2)
week_4 <- rbind(smd_from_p(0.0001, 20, 20), pickering)
immediate <- rbind(paired_from_p(0.009, 12))
week_12 <- rbind(smd_from_p(0.07, 30, 30))

arms <- function(review) {
  t <- read.csv(file.path("data", review, "arms.csv"), stringsAsFactors = FALSE)
  key <- if ("comparison_id" %in% names(t)) "comparison_id" else "study_id"
  i <- t[t$role == "intervention", ]; c <- t[t$role == "control", ]
  c <- c[match(i[[key]], c[[key]]), ]
  list(i = i, c = c)
}
spinal <- arms("spinal-manipulation-low-back-pain")
spinal <- escalc("MD", m1i = spinal$i$mean, sd1i = spinal$i$sd, n1i = spinal$i$n, m2i = spinal$c$mean, sd2i = spinal$c$sd, n2i = spinal$c$n)
# Two reviews with shared control groups: each comparison as published, and the arms of a trial against its one control
# group, joined by the Cochrane Handbook's formula (6.5.2.10, table 6.5.a), two at a time.
joined <- function(x) {
  one <- x[1, ]
  for (i in seq_len(nrow(x))[-1]) {
    n <- one$n + x$n[i]
    v <- ((one$n - 1) * one$sd^2 + (x$n[i] - 1) * x$sd[i]^2 + one$n * x$n[i] / n * (one$mean - x$mean[i])^2) / (n - 1)
    one$mean <- (one$n * one$mean + x$n[i] * x$mean[i]) / n; one$sd <- sqrt(v); one$n <- n
  }
  one
}
smd <- function(p) escalc("SMD", m1i = p$i$mean, sd1i = p$i$sd, n1i = p$i$n, m2i = p$c$mean, sd2i = p$c$sd, n2i = p$c$n)
fibro <- list()
for (outcome in c("pain_intensity", "fatigue", "sleep", "mood", "qol")) {
  t <- read.csv("data/antidepressants-fibromyalgia/arms.csv", stringsAsFactors = FALSE)
  t <- t[t$outcome == outcome, ]
  i <- t[t$role == "intervention", ]; c <- t[t$role == "control", ]
  c <- c[match(i$comparison_id, c$comparison_id), ]
  whole <- do.call(rbind, lapply(split(i, factor(i$study_id, unique(i$study_id))), joined))
  name <- paste0("antidepressants-fibromyalgia/", outcome, ".end_of_treatment")
  fibro[[name]] <- smd(list(i = whole, c = c[match(whole$study_id, c$study_id), ]))
  fibro[[paste0(name, ".published")]] <- smd(list(i = i, c = c))
}
rr <- function(p) escalc("RR", ai = p$i$events, n1i = p$i$n, ci = p$c$events, n2i = p$c$n, add = 0.5, to = "only0")
nsaid <- arms("topical-nsaids-acute-pain")
whole <- aggregate(cbind(events, n) ~ study_id, nsaid$i, sum)
nsaid_trials <- rr(list(i = whole, c = nsaid$c[match(whole$study_id, nsaid$c$study_id), ]))
nsaid <- rr(nsaid)
bcg <- arms("bcg-vaccine")
allocation <- read.csv("data/bcg-vaccine/studies.csv")$allocation
bcg <- escalc("RR", ai = bcg$i$events, n1i = bcg$i$n, ci = bcg$c$events, n2i = bcg$c$n)

as_set <- function(m) data.frame(yi = m[, 1], vi = m[, 2])
sets <- c(list(
  "ketamine-chronic-pain/responder.immediate" = paired,
  "ketamine-chronic-pain/responder.immediate.crossover_as_independent" = independent,
  "ketamine-chronic-pain/pain_intensity.immediate" = as_set(immediate),
  "ketamine-chronic-pain/pain_intensity.week_1" = as_set(week_1),
  "ketamine-chronic-pain/pain_intensity.week_4" = as_set(week_4),
  "ketamine-chronic-pain/pain_intensity.week_12" = as_set(week_12),
  "spinal-manipulation-low-back-pain/pain_intensity.month_1.published" = spinal,
  "topical-nsaids-acute-pain/responder.week_1" = nsaid_trials,
  "topical-nsaids-acute-pain/responder.week_1.published" = nsaid,
  "bcg-vaccine/tuberculosis.end_of_follow_up" = bcg
), fibro)
num <- function(x) if (length(x) != 1 || !is.finite(x)) "null" else sprintf("%.17g", x)
vec <- function(x) paste0("[", paste(sprintf("%.17g", x), collapse = ", "), "]")
obj <- function(...) { f <- list(...); paste0("{", paste0('"', names(f), '": ', f, collapse = ", "), "}") }

fit <- function(s, method, test) {
  if (nrow(s) == 1) return(obj(estimate = num(s$yi), se = num(sqrt(s$vi))))
  r <- rma(yi, vi, data = s, method = method, test = test, control = tight)
  q <- confint(r, control = wide)$random
  p <- predict(r)
  obj(estimate = num(r$b[1]), se = num(r$se), ci_lower = num(r$ci.lb), ci_upper = num(r$ci.ub), p_value = num(r$pval),
      tau2 = num(r$tau2), tau2_ci_lower = num(q["tau^2", "ci.lb"]), tau2_ci_upper = num(q["tau^2", "ci.ub"]),
      i2 = num(r$I2), h2 = num(r$H2), q = num(r$QE), q_p_value = num(r$QEp), pi_lower = num(p$pi.lb), pi_upper = num(p$pi.ub))
}
one <- function(s) obj(yi = vec(s$yi), vi = vec(s$vi), "REML, hartung-knapp" = fit(s, "REML", "knha"),
                       "DL, wald" = fit(s, "DL", "z"), "REML, wald" = fit(s, "REML", "z"))
groups <- sapply(split(as.data.frame(bcg), allocation), one)
between <- sapply(split(as.data.frame(bcg), allocation), function(s) { r <- rma(yi, vi, data = s, control = tight); c(r$b[1], r$se) })
fe <- rma(between[1, ], sei = between[2, ], method = "FE")
cat("{\n", paste0('"', names(sets), '": ', sapply(sets, one), collapse = ",\n"), ",\n",
    '"bcg by allocation": ', do.call(obj, c(as.list(groups), list(q_between = num(fe$QE), q_between_p_value = num(fe$QEp)))), ",\n",
    '"about": {"metafor": "', as.character(packageVersion("metafor")), '", "control": "threshold 1e-12; confint tol 1e-13, tau2.max 1e6"}\n}\n', sep = "")
