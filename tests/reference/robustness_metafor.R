# Reference values for leave-one-out, cumulative, influence, subsets, small-study tests, trim and fill, fail-safe N and
# the step selection model: metafor with tight tolerances. Run: Rscript robustness_metafor.R > robustness_metafor.json
suppressMessages({library(metafor); library(metadat); library(jsonlite); library(numDeriv)})
con <- list(threshold = 1e-12, tol = 1e-15, maxiter = 10000)

data <- list(
  bcg_rr = escalc(measure = "RR", ai = tpos, bi = tneg, ci = cpos, di = cneg, data = dat.bcg),
  hine1989_rd = escalc(measure = "RD", n1i = n1i, n2i = n2i, ai = ai, ci = ci, data = dat.hine1989),
  collins1985b_or = escalc(measure = "OR", n1i = pre.nti, n2i = pre.nci, ai = pre.xti, ci = pre.xci, data = dat.collins1985b),
  egger2001_or = escalc(measure = "OR", ai = ai, n1i = n1i, ci = ci, n2i = n2i, data = dat.egger2001),
  linde2005_rr = escalc(measure = "RR", ai = ai, n1i = n1i, ci = ci, n2i = n2i, data = dat.linde2005),
  li2007_or = escalc(measure = "OR", ai = ai, n1i = n1i, ci = ci, n2i = n2i, data = dat.li2007),
  normand1999_smd = escalc(measure = "SMD", m1i = m1i, sd1i = sd1i, n1i = n1i, m2i = m2i, sd2i = sd2i, n2i = n2i, data = dat.normand1999),
  molloy2014_zcor = escalc(measure = "ZCOR", ri = ri, ni = ni, data = dat.molloy2014),
  raudenbush1985 = dat.raudenbush1985,
  hackshaw1998 = dat.hackshaw1998,
  curtis1998_rom = escalc(measure = "ROM", m1i = m1i, sd1i = sd1i, n1i = n1i, m2i = m2i, sd2i = sd2i, n2i = n2i, data = dat.curtis1998)
)

# cumul() calls its p-values pvals
rows <- function(x, names) lapply(setNames(names, names), function(n) {
  as.numeric(unlist(if (n %in% attributes(x)$names) x[[n]] else x[[paste0(n, "s")]]))
})
pooled <- c("estimate", "se", "pval", "ci.lb", "ci.ub", "Q", "Qp", "tau2", "I2", "H2")

one <- function(d) {
  yi <- as.numeric(d$yi); vi <- as.numeric(d$vi)
  keep <- !is.na(yi) & !is.na(vi); yi <- yi[keep]; vi <- vi[keep]
  k <- length(yi)
  ni <- attr(d$yi, "ni")[keep]
  out <- list(yi = yi, vi = vi, ni = ni)
  for (m in list(c("REML", "z"), c("REML", "knha"), c("DL", "z"), c("PM", "knha"))) {
    fit <- rma(yi, vi, method = m[1], test = m[2], control = con)
    id <- paste(m, collapse = "_")
    out[[paste0("leave1out_", id)]] <- rows(leave1out(fit), pooled)
    inf <- influence(fit)
    out[[paste0("influence_", id)]] <- c(
      rows(inf$inf, c("rstudent", "dffits", "cook.d", "cov.r", "tau2.del", "QE.del", "hat", "weight")),
      list(dfbetas = inf$dfbs$intrcpt, flagged = as.logical(inf$is.infl)))
    pdf(NULL); b <- baujat(fit); invisible(dev.off())
    out[[paste0("baujat_", id)]] <- list(x = b$x, y = b$y)
    out[[paste0("cumulative_", id)]] <- rows(cumul(fit, order = vi), pooled)
  }
  for (p in c("sei", "vi", if (!is.null(ni)) c("ni", "ninv", "sqrtni", "sqrtninv"))) for (m in c("lm", "rma")) {
    for (t in if (m == "lm") "z" else c("z", "knha")) {
      r <- do.call(regtest, c(list(yi, vi, model = m, predictor = p, ret.fit = TRUE), if (!is.null(ni)) list(ni = ni)))
      f <- r$fit
      if (m == "lm") { s <- coef(summary(f)); cf <- s[, 1]; se <- s[, 2] } else {
        f <- rma(yi, vi, mods = model.matrix(f)[, 2], method = "REML", test = t, control = con)
        cf <- f$beta[, 1]; se <- f$se
        r$zval <- f$zval[2]; r$pval <- f$pval[2]; r$ci.lb <- f$ci.lb[1]; r$ci.ub <- f$ci.ub[1]
      }
      out$regtest[[paste(m, p, t, sep = "_")]] <- list(statistic = r$zval, p = r$pval, coef = unname(cf),
        se = unname(se), ci_lb = unname(r$ci.lb), ci_ub = unname(r$ci.ub))
    }
  }
  rt <- suppressWarnings(ranktest(yi, vi)); out$ranktest <- list(tau = unname(rt$tau), p = rt$pval)
  for (m in c("EE", "DL", "REML")) for (e in c("L0", "R0")) for (s in c("auto", "left", "right")) {
    fit <- rma(yi, vi, method = m, control = con)
    t <- try(if (s == "auto") trimfill(fit, estimator = e, control = con) else trimfill(fit, estimator = e, side = s, control = con), silent = TRUE)
    if (inherits(t, "try-error")) next
    out$trimfill[[paste(m, e, s, sep = "_")]] <- list(k0 = t$k0, se_k0 = t$se.k0, p_k0 = t$p.k0, side = t$side,
      estimate = c(t$beta), se = t$se, tau2 = t$tau2, filled_yi = as.numeric(t$yi[t$fill]), filled_vi = t$vi[t$fill])
  }
  for (t in c("Rosenthal", "Orwin", "Rosenberg")) { f <- fsn(yi, vi, type = t); out$fsn[[t]] <- list(n = f$fsnum, p = f$pval) }
  ml <- rma(yi, vi, method = "ML", control = con)
  for (a in c("greater", "less")) {
    # nlminb ends within 1e-5 of its maximum; where the weight runs to its bound (100) there is none to compare with.
    s <- try(suppressWarnings(selmodel(ml, type = "stepfun", steps = 0.025, alternative = a,
      control = list(optimizer = "nlminb", eval.max = 10000, iter.max = 10000))), silent = TRUE)
    if (inherits(s, "try-error")) next
    out$selmodel[[a]] <- list(estimate = c(s$beta), se = s$se, tau2 = s$tau2, delta = s$delta[2], se_delta = s$se.delta[2],
      loglik = c(s$fit.stats["ll", "ML"]), lrt = s$LRT, lrt_p = s$LRTp, p = s$pval)
  }
  if (k <= 9) {
    out$subsets <- lapply(which(sapply(seq_len(2^k - 1), function(b) sum(bitwAnd(b, 2^(0:(k - 1))) > 0) >= 2)), function(b) {
      at <- bitwAnd(b, 2^(0:(k - 1))) > 0
      f <- rma(yi[at], vi[at], method = "REML", test = "knha", control = con)
      c(b, f$beta, f$ci.lb, f$ci.ub, f$tau2, f$I2)
    })
  }
  out
}
about <- list(R = as.character(getRversion()), metafor = as.character(packageVersion("metafor")), metadat = as.character(packageVersion("metadat")))
cat(toJSON(c(list(about = about), lapply(data, one)), digits = I(13), auto_unbox = TRUE, null = "null", na = "null"))
