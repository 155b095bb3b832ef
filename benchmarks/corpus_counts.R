# Counts of the page of a corpus by metafor: the effects of each analysis, one per trial, are read from effects.csv (of trials
# with several comparisons from units.csv), everything else is metafor's.
# Rscript corpus_counts.R FOLDER > corpus_counts.json
suppressMessages(library(metafor))
folder <- commandArgs(trailingOnly = TRUE)[1]
corpus <- read.csv(file.path(folder, "results", "corpus.csv"), stringsAsFactors = FALSE)
reviews <- unique(corpus$review)
count <- c(analyses = 0, narrow = 0, pi_includes = 0, pi_asked = 0, guarded_excludes = 0, hangs = 0, hk_excludes = 0)
tight <- list(threshold = 1e-12, maxiter = 10000)
fit <- function(yi, vi, ...) tryCatch(rma(yi, vi, method = "REML", control = tight, ...), error = function(e)
  tryCatch(rma(yi, vi, method = "REML", control = c(tight, stepadj = 0.5), ...), error = function(e) NULL))
excludes <- function(m) m$ci.lb > 0 || m$ci.ub < 0
for (review in reviews) {
  effects <- read.csv(file.path(folder, "results", review, "effects.csv"), stringsAsFactors = FALSE)
  units <- read.csv(file.path(folder, "results", review, "units.csv"), stringsAsFactors = FALSE)
  mine <- corpus[corpus$review == review & corpus$k >= 2, ]
  for (analysis in mine$analysis) {
    one <- units[units$analysis == analysis & units$units == "trial", ]
    if (!nrow(one)) one <- effects[effects$analysis == analysis, ]
    one <- one[, c("study_id", "estimate", "variance")]
    hk <- fit(one$estimate, one$variance, test = "knha")
    if (is.null(hk)) next
    count["analyses"] <- count["analyses"] + 1
    common <- rma(one$estimate, one$variance, method = "EE")
    guarded <- fit(one$estimate, one$variance, test = "adhoc")
    count["narrow"] <- count["narrow"] + ((hk$ci.ub - hk$ci.lb) < (common$ci.ub - common$ci.lb))
    count["hk_excludes"] <- count["hk_excludes"] + excludes(hk)
    count["guarded_excludes"] <- count["guarded_excludes"] + excludes(guarded)
    if (nrow(one) >= 3) {
      pi <- predict(hk)
      count["pi_asked"] <- count["pi_asked"] + 1
      count["pi_includes"] <- count["pi_includes"] + (pi$pi.lb <= 0 && pi$pi.ub >= 0)
      if (excludes(guarded)) {
        without <- sapply(seq_len(nrow(one)), function(i) {
          m <- fit(one$estimate[-i], one$variance[-i], test = "adhoc")
          !is.null(m) && !excludes(m)
        })
        count["hangs"] <- count["hangs"] + any(without)
      }
    }
  }
}
cat(sprintf("{%s}\n", paste(sprintf('"%s": %d', names(count), as.integer(count)), collapse = ", ")))
