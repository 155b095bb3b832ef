# Counts of the page of a corpus by metafor: the effects of each analysis, one per trial, are read from effects.csv (of trials
# with several comparisons from units.csv), everything else is metafor's.
# Rscript corpus_counts.R FOLDER > corpus_counts.json
suppressMessages(library(metafor))
folder <- commandArgs(trailingOnly = TRUE)[1]
corpus <- read.csv(file.path(folder, "results", "corpus.csv"), stringsAsFactors = FALSE)
reviews <- unique(corpus$review)
count <- c(analyses = 0, narrow = 0, pi_includes = 0, pi_asked = 0, guarded_excludes = 0, hangs = 0, hk_excludes = 0)
tight <- list(threshold = 1e-12, maxiter = 10000)
# Where Fisher scoring does not settle, it does so with smaller steps, or the maximum of the same likelihood is sought.
likelihood <- function(tau2, yi, vi) as.numeric(logLik(rma(yi, vi, tau2 = tau2, method = "REML"), REML = TRUE))
tau2_of <- function(yi, vi) {
  for (step in c(1, 0.5, 0.1)) {
    found <- try(rma(yi, vi, method = "REML", control = c(tight, stepadj = step))$tau2, silent = TRUE)
    if (!inherits(found, "try-error")) return(found)
  }
  at <- optimize(likelihood, c(0, 10 * var(yi)), yi = yi, vi = vi, maximum = TRUE, tol = 1e-12)
  if (likelihood(0, yi, vi) >= at$objective) 0 else at$maximum
}
fit <- function(yi, vi, ...) rma(yi, vi, tau2 = tau2_of(yi, vi), ...)
excludes <- function(m) m$ci.lb > 0 || m$ci.ub < 0
for (review in reviews) {
  effects <- read.csv(file.path(folder, "results", review, "effects.csv"), stringsAsFactors = FALSE)
  units <- read.csv(file.path(folder, "results", review, "units.csv"), stringsAsFactors = FALSE)
  mine <- corpus[corpus$review == review & corpus$k >= 2, ]
  for (analysis in mine$analysis) {
    one <- units[units$analysis == analysis & units$units == "trial", ]
    if (!nrow(one)) one <- effects[effects$analysis == analysis, ]
    one <- one[, c("study_id", "estimate", "variance")]
    level <- 100 * corpus$level[corpus$review == review & corpus$analysis == analysis]
    hk <- fit(one$estimate, one$variance, test = "knha", level = level)
    count["analyses"] <- count["analyses"] + 1
    common <- rma(one$estimate, one$variance, method = "EE", level = level)
    guarded <- fit(one$estimate, one$variance, test = "adhoc", level = level)
    count["narrow"] <- count["narrow"] + ((hk$ci.ub - hk$ci.lb) < (common$ci.ub - common$ci.lb))
    count["hk_excludes"] <- count["hk_excludes"] + excludes(hk)
    count["guarded_excludes"] <- count["guarded_excludes"] + excludes(guarded)
    if (nrow(one) >= 3) {
      pi <- predict(hk)
      count["pi_asked"] <- count["pi_asked"] + 1
      count["pi_includes"] <- count["pi_includes"] + (pi$pi.lb <= 0 && pi$pi.ub >= 0)
      if (excludes(guarded)) {
        without <- sapply(seq_len(nrow(one)), function(i) {
          !excludes(fit(one$estimate[-i], one$variance[-i], test = "adhoc", level = level))
        })
        count["hangs"] <- count["hangs"] + any(without)
      }
    }
  }
}
cat(sprintf("{%s}\n", paste(sprintf('"%s": %d', names(count), as.integer(count)), collapse = ", ")))
