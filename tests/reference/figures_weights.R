# Weights in percent that metafor prints for BCG (dat.bcg, the trials of data/bcg-vaccine): every model that a forest
# plot of the tests has. Run from the repository: Rscript tests/reference/figures_weights.R
suppressMessages(library(metafor))
suppressMessages(library(jsonlite))
arms <- read.csv("data/bcg-vaccine/arms.csv")
side <- function(role) arms[arms$role == role, ]
v <- side("intervention"); c <- side("control")
stopifnot(all(v$study_id == c$study_id))
counts <- list(ai = v$events, n1i = v$n, ci = c$events, n2i = c$n)
fit <- function(f, ...) do.call(f, c(counts, list(...)))
group <- read.csv("data/bcg-vaccine/studies.csv")
allocation <- group$allocation[match(v$study_id, group$study_id)]
named <- function(fit) as.list(setNames(as.numeric(weights(fit)), v$study_id))
total <- function(fit) c(fit$b, fit$ci.lb, fit$ci.ub)
by <- function(f, ...) lapply(split(seq_along(allocation), allocation), function(at)
  total(do.call(f, c(lapply(counts, `[`, at), list(...)))))
out <- list(
  metafor = as.character(packageVersion("metafor")),
  weights = list(
    RR_mh = named(fit(rma.mh, measure = "RR")),
    OR_mh = named(fit(rma.mh, measure = "OR")),
    RD_mh = named(fit(rma.mh, measure = "RD")),
    OR_peto = named(fit(rma.peto)),
    RR_reml = named(fit(rma.uni, measure = "RR", method = "REML", control = list(threshold = 1e-14, maxiter = 1000))),
    RR_dl = named(fit(rma.uni, measure = "RR", method = "DL"))
  ),
  pooled = list(RR_mh = total(fit(rma.mh, measure = "RR")), OR_mh = total(fit(rma.mh, measure = "OR")),
                OR_peto = total(fit(rma.peto))),
  subtotals = list(RR_mh = by(rma.mh, measure = "RR"), OR_peto = by(rma.peto))
)
cat(toJSON(out, digits = 14, auto_unbox = TRUE, pretty = TRUE))
