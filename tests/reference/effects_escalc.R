# Effect sizes by metafor's escalc (Debian's 3.8-1), to compare with reweigh.effects.
# Run: Rscript effects_escalc.R > effects_escalc.json
suppressMessages(library(metafor))

num <- function(x) ifelse(is.na(x), "null", sprintf("%.17g", as.numeric(x)))
arr <- function(x) paste0("[", paste(num(x), collapse = ", "), "]")
obj <- function(l) paste0("{", paste0("\"", names(l), "\": ", vapply(l, arr, ""), collapse = ",\n  "), "}")
cases <- list()
put <- function(name, input, dat) {
  cases[[name]] <<- paste0("\"", name, "\": {\"input\": ", obj(input), ",\n  \"yi\": ", arr(dat$yi), ",\n  \"vi\": ", arr(dat$vi), "}")
}

# --- continuous: nine trials of dat.normand1999, then small, unequal, negative and random ones
set.seed(20240501)
k <- 40
n <- dat.normand1999
con <- data.frame(
  n1 = c(n$n1i, 3, 2, 200, 12, sample(3:150, k, TRUE)), n2 = c(n$n2i, 4, 3, 8, 12, sample(3:150, k, TRUE)),
  m1 = c(n$m1i, 1.5, -4, 0.02, 7, round(rnorm(k, 4, 6), 2)), m2 = c(n$m2i, 2.5, -1.25, 0.03, 7, round(rnorm(k, 4, 6), 2)),
  s1 = c(n$sd1i, .4, 2.2, .01, 3, round(runif(k, .2, 9), 3)), s2 = c(n$sd2i, 1.4, .7, .05, 1, round(runif(k, .2, 9), 3)))
esc <- function(measure, d = con, ...) escalc(measure, n1i = n1, n2i = n2, m1i = m1, m2i = m2, sd1i = s1, sd2i = s2, data = d, ...)
put("MD", con, esc("MD"))
put("MD_pooled", con, esc("MD", vtype = "HO"))
for (v in c("LS", "LS2", "UB", "AV")) {
  put(paste0("SMD_", v), con, esc("SMD", vtype = v))
  put(paste0("SMD1_", v), con, esc("SMD1", vtype = v))
}
put("SMDH", con, esc("SMDH"))
same <- con[con$m1 * con$m2 > 0, ]
put("ROM", same, esc("ROM", same))
ts <- data.frame(n1 = con$n1, n2 = con$n2, t = round(rnorm(nrow(con), 0, 2.5), 3))
put("SMD_t", ts, escalc("SMD", ti = t, n1i = n1, n2i = n2, data = ts))

# --- continuous, paired
par <- data.frame(n = c(3, 12, 20, 60, sample(4:80, 20, TRUE)), m1 = same$m1[1:24], m2 = same$m2[1:24], s1 = same$s1[1:24],
                  s2 = same$s2[1:24], r = round(c(0.5, 0, -0.3, 0.9, runif(20, -.5, .95)), 2))
pesc <- function(measure) escalc(measure, ni = n, m1i = m1, m2i = m2, sd1i = s1, sd2i = s2, ri = r, data = par)
put("MC", par, pesc("MC"))
put("SMCC", par, pesc("SMCC"))
put("ROMC", par, pesc("ROMC"))
# standardised by the SD of the control: SMCR takes the SD of the first measurement, so control goes first and the sign turns
swap <- escalc("SMCR", ni = n, m1i = m2, m2i = m1, sd1i = s2, sd2i = s1, ri = r, data = par)
swap$yi <- -swap$yi
put("SMCR", par, swap)
half <- transform(par, r = 0.5)
put("SMCC_half", half, escalc("SMCC", ni = n, m1i = m1, m2i = m2, sd1i = s1, sd2i = s2, ri = r, data = half))

# --- binary, with zero cells of every kind
m <- sample(5:200, k, TRUE); q <- sample(5:200, k, TRUE)
bin <- data.frame(e1 = c(4, 0, 5, 20, 20, 7, 0, 12, 1, 20, rbinom(k, m, runif(k, 0, .4))), n1 = c(123, 20, 20, 20, 20, 12, 15, 12, 1, 20, m),
                  e2 = c(11, 3, 0, 13, 20, 2, 0, 0, 0, 18, rbinom(k, q, runif(k, 0, .4))), n2 = c(139, 25, 31, 20, 25, 12, 15, 12, 1, 20, q))
bad <- function(d) (d$e1 == 0 & d$e2 == 0) | (d$e1 == d$n1 & d$e2 == d$n2)
kept <- bin[!bad(bin), ]
besc <- function(measure, d, ...) escalc(measure, ai = e1, n1i = n1, ci = e2, n2i = n2, data = d, ...)
for (mm in c("RR", "OR", "RD")) for (to in c("only0", "all")) put(paste0(mm, "_", to), if (mm == "RD") bin else kept, besc(mm, if (mm == "RD") bin else kept, to = to))
for (mm in c("RR", "OR")) put(paste0(mm, "_none"), kept[kept$e1 > 0 & kept$e2 > 0 & kept$e1 < kept$n1 & kept$e2 < kept$n2, ],
                              besc(mm, kept[kept$e1 > 0 & kept$e2 > 0 & kept$e1 < kept$n1 & kept$e2 < kept$n2, ], add = 0, to = "none"))
put("AS", bin, besc("AS", bin, add = 0, to = "none"))
put("PETO", kept, besc("PETO", kept, add = 0, to = "none"))
# treatment-arm continuity correction (Sweeting 2004): n1/(n1+n2) in arm 1, n2/(n1+n2) in arm 2, trials with a zero cell
z <- kept$e1 == 0 | kept$e2 == 0 | kept$e1 == kept$n1 | kept$e2 == kept$n2
k1 <- ifelse(z, kept$n1 / (kept$n1 + kept$n2), 0); k2 <- ifelse(z, kept$n2 / (kept$n1 + kept$n2), 0)
tacc <- data.frame(e1 = kept$e1 + k1, n1 = kept$n1 + 2 * k1, e2 = kept$e2 + k2, n2 = kept$n2 + 2 * k2)
for (mm in c("RR", "OR")) put(paste0(mm, "_tacc"), kept, besc(mm, tacc, add = 0, to = "none"))
put("linde2005_RR", with(dat.linde2005, data.frame(e1 = ai, n1 = n1i, e2 = ci, n2 = n2i))[!with(dat.linde2005, ai == 0 & ci == 0), ],
    escalc("RR", ai = ai, n1i = n1i, ci = ci, n2i = n2i, data = dat.linde2005[!with(dat.linde2005, ai == 0 & ci == 0), ]))

# --- binary, paired: full tables a (both), b (intervention only), c (control only), d (neither)
tab <- data.frame(a = c(5, 0, 10, 3, sample(1:20, 12, TRUE)), b = c(3, 4, 2, 0, sample(1:20, 12, TRUE)),
                  c = c(1, 1, 9, 5, sample(1:20, 12, TRUE)), d = c(4, 7, 30, 2, sample(1:20, 12, TRUE)))
pb <- function(measure, d = tab, ...) escalc(measure, ai = a, bi = b, ci = c, di = d, data = d, ...)
put("MPRR", tab[1:3, ], pb("MPRR", tab[1:3, ], add = 0, to = "none"))
put("MPRD", tab, pb("MPRD", add = 0, to = "none"))
put("MPORC", tab[tab$b > 0 & tab$c > 0, ], pb("MPORC", tab[tab$b > 0 & tab$c > 0, ], add = 0, to = "none"))
pp <- tab[tab$b > 0 & tab$c > 0, ]
put("MPRR_all", pp, pb("MPRR", pp, add = 0, to = "none"))
put("MPOR", pp, pb("MPOR", pp, add = 0, to = "none"))
# margins and phi (Becker & Balagtas 1993): ai, bi = events under intervention and control, ci, di = non-events
mar <- data.frame(n = c(12, 30, 20, 50, 11), e1 = c(7, 14, 9, 30, 5), e2 = c(2, 2, 11, 25, 5), phi = c(.2, .2, .1, .6, -.1))
put("MPORM", mar, escalc("MPORM", ai = e1, bi = e2, ci = n - e1, di = n - e2, ri = phi, data = mar))

# --- rates
rat <- data.frame(x1 = c(3, 0, 12, 40, 0, rpois(15, 4)), t1 = c(100, 55, 330.5, 800, 20, round(runif(15, 10, 500), 1)),
                  x2 = c(9, 4, 0, 61, 2, rpois(15, 4)), t2 = c(98, 60, 310, 790.25, 25, round(runif(15, 10, 500), 1)))
resc <- function(measure, d, ...) escalc(measure, x1i = x1, t1i = t1, x2i = x2, t2i = t2, data = d, ...)
some <- rat[!(rat$x1 == 0 & rat$x2 == 0), ]
for (to in c("only0", "all")) { put(paste0("IRR_", to), some, resc("IRR", some, to = to)); put(paste0("IRD_", to), rat, resc("IRD", rat, to = to)) }

cat("{\"about\": {\"package\": \"metafor\", \"version\": \"", as.character(packageVersion("metafor")), "\", \"R\": \"", paste(R.version$major, R.version$minor, sep = "."),
    "\", \"script\": \"effects_escalc.R\"},\n", paste(unlist(cases), collapse = ",\n"), "}\n", sep = "")
