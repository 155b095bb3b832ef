# metafor for benchmarks/peers.py, as it comes and as the tight reference: Rscript peers.R metafor|reference JOB FOLDER
suppressPackageStartupMessages({ library(metafor); library(jsonlite) })
arguments <- commandArgs(TRUE)
tool <- arguments[1]; job <- arguments[2]; folder <- arguments[3]
sets <- lapply(fromJSON(file.path(folder, "data.json"), simplifyVector = FALSE)[[job]],
               function(d) list(yi = unlist(d[[1]]), vi = unlist(d[[2]])))

full <- function(d) {
  f <- rma(d$yi, d$vi, test = "knha")
  found <- list(estimate = f$b[1], ci_lower = f$ci.lb, ci_upper = f$ci.ub, tau2 = f$tau2)
  if (job == "plain") return(found)
  q <- confint(f)$random; p <- predict(f)
  c(found, list(tau2_ci_lower = q[1, 2], tau2_ci_upper = q[1, 3], pi_lower = p$pi.lb, pi_upper = p$pi.ub))
}

# The data in units in which the smallest variance is near 1 (a power of 2, which does not round), for tolerances of
# metafor are absolute: the smallest step of tau2 that converges, whole steps or shorter ones. Of three starts the fit
# with the highest likelihood: that of REML can have two maxima.
tight <- function(d) {
  s <- 2^round(log2(min(d$vi)) / 2); y <- d$yi / s; v <- d$vi / s^2
  size <- max(1, var(y))
  fit <- function(method, start = NULL) {
    for (stepadj in c(1, 0.5, 0.1)) for (threshold in size * 10^-(14:11)) {
      control <- c(list(threshold = threshold, stepadj = stepadj, tol = 1e-15, maxiter = 500, tau2.max = 1e8), start)
      f <- try(suppressWarnings(rma(y, v, method = method, test = "knha", control = control)), silent = TRUE)
      if (!inherits(f, "try-error")) return(f)
    }
  }
  starts <- list(NULL, list(tau2.init = 0), list(tau2.init = 10 * var(y)))
  fits <- Filter(Negate(is.null), lapply(starts, function(start) fit("REML", start)))
  f <- fits[[which.max(sapply(fits, function(f) as.numeric(logLik(f))))]]
  q <- confint(f, control = list(tol = 1e-15, maxiter = 20000, tau2.max = 1e8))$random
  p <- predict(f); half <- qt(0.975, length(y) - 2) * sqrt(f$tau2 + f$se^2); pm <- fit("PM")
  list(estimate = s * f$b[1], se = s * f$se, ci_lower = s * f$ci.lb, ci_upper = s * f$ci.ub, tau2 = s^2 * f$tau2,
       tau2_ci_lower = s^2 * q[1, 2], tau2_ci_upper = s^2 * q[1, 3], pi_lower = s * p$pi.lb, pi_upper = s * p$pi.ub,
       pi2_lower = s * (f$b[1] - half), pi2_upper = s * (f$b[1] + half),
       pm_estimate = s * pm$b[1], pm_tau2 = s^2 * pm$tau2, pm_ci_lower = s * pm$ci.lb, pm_ci_upper = s * pm$ci.ub)
}

attempt <- function(fit) lapply(sets, function(d) tryCatch(fit(d), error = function(e) conditionMessage(e)))
two <- function(x) lapply(seq_along(x$estimate), function(i) list(estimate = x$estimate[i], tau2 = x$tau2[i]))
d <- sets[[1]]
run <- if (tool == "reference") function() attempt(tight) else switch(job,
  subsets = function() two(gosh(rma(d$yi, d$vi), progbar = FALSE)$res),
  `leave one out` = function() two(leave1out(rma(d$yi, d$vi, test = "knha"))),
  function() suppressWarnings(attempt(full)))
if (tool == "metafor" && job != "subsets") try(full(d), silent = TRUE)
times <- c()
while (sum(times) < 2 && length(times) < 500) {
  start <- proc.time()[[3]]
  answers <- run()
  times <- c(times, proc.time()[[3]] - start)
  if (tool == "reference") break
}
status <- if (file.exists("/proc/self/status")) grep("VmHWM", readLines("/proc/self/status"), value = TRUE)
memory <- if (length(status)) as.numeric(gsub("[^0-9]", "", status)) / 1024 else NaN
found <- list(seconds = if (length(times)) mean(times), memory = memory, answers = answers,
              version = as.character(packageVersion("metafor")))
writeLines(toJSON(found, digits = I(17), auto_unbox = TRUE, na = "null"), file.path(folder, paste0(tool, " ", job, ".json")))
