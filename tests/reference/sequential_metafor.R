# Cumulative meta-analysis of two metadat sets in order of year (ties by study), refitted after each trial by metafor
# with tight tolerances.
# Run: Rscript tests/reference/sequential_metafor.R > tests/reference/sequential_metafor.json
suppressPackageStartupMessages({library(metafor); library(metadat); library(jsonlite)})
tight <- list(threshold = 1e-12, tol = 1e-15, maxiter = 10000)

cumulate <- function(d, id) {
  d$id <- as.character(id)
  d <- d[order(d$year, d$id, method = "radix"), ]
  fits <- lapply(c(common = "EE", DL = "DL", REML = "REML"), function(m) {
    rows <- lapply(seq_len(nrow(d)), function(k) {
      fit <- rma(yi, vi, data = d[1:k, ], method = if (k == 1) "EE" else m, control = tight)
      c(fit$beta[1], fit$se, fit$tau2)
    })
    r <- do.call(rbind, rows)
    list(estimate = r[, 1], se = r[, 2], tau2 = r[, 3])
  })
  list(study_id = d$id, year = d$year, participants = d$n, yi = as.numeric(d$yi), vi = d$vi, fits = fits)
}

bcg <- escalc(measure = "RR", ai = tpos, bi = tneg, ci = cpos, di = cneg, data = dat.bcg)
bcg$n <- with(dat.bcg, tpos + tneg + cpos + cneg)
yusuf <- subset(dat.yusuf1985, table == "6")
yusuf <- suppressWarnings(escalc(measure = "OR", ai = ai, n1i = n1i, ci = ci, n2i = n2i, data = yusuf))
yusuf <- yusuf[!is.na(yusuf$yi), ]  # no events in either arm: no effect
yusuf$n <- yusuf$n1i + yusuf$n2i
yusuf$year <- seq_len(nrow(yusuf))  # the table has no years: its own order stands in for them
cat(toJSON(list(about = list(R = as.character(getRversion()), metafor = as.character(packageVersion("metafor")),
  metadat = as.character(packageVersion("metadat"))), bcg = cumulate(bcg, bcg$author),
  yusuf1985 = cumulate(yusuf, yusuf$trial)), digits = I(15), auto_unbox = TRUE, pretty = TRUE), "\n")
