# Reference values of the duloxetine review by metafor, from the raw tables and not from our effect sizes.
# Rscript tests/reference/duloxetine.R > tests/reference/duloxetine.json      (from the top of the repository)
suppressPackageStartupMessages(library(metafor))
tight <- list(threshold = 1e-12, tol = 1e-14, maxiter = 10000)
folder <- "data/duloxetine-chronic-pain"
arms <- read.csv(file.path(folder, "arms.csv"), stringsAsFactors = FALSE)
studies <- read.csv(file.path(folder, "studies.csv"), stringsAsFactors = FALSE)
phi <- 0.2  # of the two crossover trials, as the protocol assumes

# Dose arms of a trial are one arm: Cochrane Handbook 6.5.2.10, table 6.5.a, two at a time; counts are added up.
joined <- function(t) {
  m <- t$mean; s <- ifelse(is.na(t$sd), t$se * sqrt(t$n), t$sd); n <- t$n
  one <- list(n = n[1], mean = m[1], sd = s[1])
  for (i in seq_along(n)[-1]) {
    N <- one$n + n[i]
    v <- ((one$n - 1) * one$sd^2 + (n[i] - 1) * s[i]^2 + one$n * n[i] / N * (one$mean - m[i])^2) / (N - 1)
    one <- list(n = N, mean = (one$n * one$mean + n[i] * m[i]) / N, sd = sqrt(v))
  }
  data.frame(one, events = sum(t$events))
}
trial <- function(id, outcome) {
  t <- arms[arms$study_id == id & arms$outcome == outcome, ]
  if (any(t$better == "higher")) t$mean <- -t$mean  # decreases printed as positive numbers
  i <- joined(t[t$role == "intervention", ]); c <- joined(t[t$role == "control", ])
  if (outcome == "pain_change") {
    es <- escalc("SMD", m1i = i$mean, sd1i = i$sd, n1i = i$n, m2i = c$mean, sd2i = c$sd, n2i = c$n)
  } else {
    es <- escalc("RR", ai = i$events, n1i = i$n, ci = c$events, n2i = c$n, add = 0.5, to = "only0")
    if (studies$design[studies$study_id == id] == "crossover") {
      a <- 1 / i$events - 1 / i$n; b <- 1 / c$events - 1 / c$n
      es$vi <- a + b - 2 * phi * sqrt(a * b)
    }
  }
  data.frame(id = id, yi = as.numeric(es$yi), vi = as.numeric(es$vi))
}

num <- function(x) if (length(x) != 1 || !is.finite(x)) "null" else sprintf("%.17g", x)
vec <- function(x) paste0("[", paste(sprintf("%.17g", x), collapse = ", "), "]")
obj <- function(f) paste0("{", paste0('"', names(f), '": ', unlist(f), collapse = ", "), "}")
fit <- function(s, method, test) {
  if (nrow(s) == 1) return(list(k = "1", estimate = num(s$yi), ci_lower = num(s$yi - qnorm(0.975) * sqrt(s$vi)),
                                ci_upper = num(s$yi + qnorm(0.975) * sqrt(s$vi)), tau2 = "null"))
  r <- rma(yi, vi, data = s, method = method, test = test, control = tight)
  list(k = as.character(r$k), estimate = num(r$b[1]), ci_lower = num(r$ci.lb), ci_upper = num(r$ci.ub), tau2 = num(r$tau2))
}
split_by <- function(s, column) {
  group <- studies[[column]][match(s$id, studies$study_id)]
  s <- s[group != "", ]; group <- group[group != ""]
  parts <- split(s, group)
  wald <- sapply(parts, function(p) if (nrow(p) == 1) c(p$yi, sqrt(p$vi)) else {
    r <- rma(yi, vi, data = p, method = "REML", control = tight); c(r$b[1], r$se) })
  q <- rma(wald[1, ], sei = wald[2, ], method = "FE")
  obj(c(lapply(parts, function(p) obj(fit(p, "REML", "knha"))),
        list(q_between = num(q$QE), q_between_df = as.character(ncol(wald) - 1), q_between_p_value = num(q$QEp))))
}
one <- function(outcome) {
  s <- do.call(rbind, lapply(unique(arms$study_id[arms$outcome == outcome]), trial, outcome))
  s <- s[order(s$id), ]
  kept <- s[studies$contradiction[match(s$id, studies$study_id)] == "no", ]
  obj(list(study_id = paste0('["', paste(s$id, collapse = '", "'), '"]'), yi = vec(s$yi), vi = vec(s$vi),
           cochrane = obj(fit(s, "REML", "knha")), "revman-classic" = obj(fit(s, "DL", "z")),
           without_contradictions = obj(fit(kept, "REML", "knha")),
           pain_type = split_by(s, "pain_type"), pain_mechanism = split_by(s, "pain_mechanism")))
}
outcomes <- unique(arms$outcome)
cat("{\n", paste0('"', outcomes, '": ', sapply(outcomes, one), collapse = ",\n"), ",\n",
    '"about": {"metafor": "', as.character(packageVersion("metafor")), '", "control": "threshold 1e-12"}\n}\n', sep = "")
