"""The words of a meta-analysis in plain words, each with its source; the page's hover texts and the site's glossary."""

from __future__ import annotations

from collections.abc import Mapping

#: A line per term: its name, what it means, where that is explained. Cochrane Handbook: version 6, by section.
_TERMS = """
95% CI | Confidence interval: the range of effects that the data are compatible with. Of many such intervals, 95 in 100 hold the true effect if the model is right. | Cochrane Handbook 15.3.1
analysis | One outcome in one time window, from one set of trials, by one measure. Its name is outcome.window, and what differs from the main one. | results/README.md
baseline correlation | How alike a patient's value before treatment and the same patient's value after it are, from 0 (not at all) to 1. The SD of a change needs it. | Cochrane Handbook 6.5.2.8
Baujat plot | A plot of what each trial adds to heterogeneity against how much it moves the pooled effect. Trials at the top right deserve a second look. | Baujat and others 2002, Stat Med 21:2641-52
certainty (GRADE) | How sure one can be that the true effect lies where the pooled result says: high, moderate, low or very low. Here by fixed rules, which a person may override. | Cochrane Handbook 14.2
common-effect model | A model that takes every trial to estimate the same true effect, so that trials differ by chance alone. Also called the fixed-effect model. | Cochrane Handbook 10.3
crossover correlation | In a crossover trial each patient has both treatments. This correlation says how alike the two results of one patient are; where it is not reported it must be assumed, and is varied. | Cochrane Handbook 23.2.7
crossover trial | A trial in which each patient gets both treatments, one after the other. Its two groups are the same people and are never treated as two independent groups in silence. | Cochrane Handbook 23.2
cumulative meta-analysis | The pooled effect after each trial in the order of their years: what was known when. | Lau and others 1992, N Engl J Med 327:248-54
D2 | Diversity: the share of the pooled effect's random-effects variance by which the common-effect variance is smaller. It enlarges the required information size. | Wetterslev and others 2009, BMC Med Res Methodol 9:86
DerSimonian-Laird | A simple formula for tau2, the default of RevMan 5, and so the usual one in older reviews. | DerSimonian and Laird 1986, Control Clin Trials 7:177-88
DFFITS | By how many standard errors the pooled effect moves when one trial is left out. | Viechtbauer and Cheung 2010, Res Synth Methods 1:112-25
drapery plot | The P value of every possible effect at once, a curve per trial and one for the pool. The width of a curve at a height is its confidence interval at that level. | Ruecker and Schwarzer 2021, Res Synth Methods 12:42-53
Egger's test | A test of whether small trials show other effects than large ones. Missing reports are one reason for that, not the only one. | Egger and others 1997, BMJ 315:629-34
event | What a binary outcome counts in patients: a death, a response, a withdrawal. | Cochrane Handbook 6.4
forest plot | A line per trial with its effect and interval; the diamond below is the pooled effect. | Lewis and Clarke 2001, BMJ 322:1479-80
fragility | The fewest trials that, left out, turn what the interval says of no effect. A small number means that the finding hangs on few trials. | Atal and others 2019, J Clin Epidemiol 111:32-40
funnel plot | A plot of effect against standard error. Without small-study effects the trials fill a funnel evenly on both sides. | Cochrane Handbook 13.3.5.2
GOSH | Graphical overview of study heterogeneity: the pooled effect and I2 of every subset of the trials, a point each. Separate clouds tell of trials that do not belong together. | Olkin, Dahabreh and Trikalinos 2012, Res Synth Methods 3:214-23
guarded interval | The Hartung-Knapp interval with its scale factor at least 1, so that trials that happen to agree do not make it too narrow. Verdicts rest on it. | Roever and others 2015, BMC Med Res Methodol 15:99
H2 | By what factor the variation between the effects exceeds the chance that is to be expected; I2 is 1 - 1/H2. | Higgins and Thompson 2002, Stat Med 21:1539-58
Hartung-Knapp | An interval for the pooled effect that uses a t distribution and the spread of the trials as it is seen, and is mostly wider than Wald's where trials are few. | Knapp and Hartung 2003, Stat Med 22:2693-710
Hedges' g | The standardised mean difference, corrected for the slight excess that small trials give it. | Hedges 1981, J Educ Stat 6:107-28
heterogeneity | Trials differ by more than chance: in patients, doses, methods, or for reasons unknown. | Cochrane Handbook 10.10
HR | Hazard ratio: how often an event happens at any moment with the intervention, against control. Below 1 it happens less often. | Cochrane Handbook 6.8
I2 (Q-based) | The share of the variation between effects that is not chance, from Cochran's Q: (Q - df)/Q, never below 0. RevMan 5 and older reviews print it. | Higgins and Thompson 2002, Stat Med 21:1539-58
I2 (tau2-based) | The share of the variation between effects that is not chance, from tau2 and a typical sampling variance. It is not a measure of how far apart effects are; the prediction interval is. | Higgins and Thompson 2002, Stat Med 21:1539-58
k | The number of trials that are pooled. | results/README.md
leave-one-out | The pooled effect without each trial in turn. | Viechtbauer and Cheung 2010, Res Synth Methods 1:112-25
Mantel-Haenszel | A way of pooling counts that weighs trials by their cells, not by a variance, and so holds where events are few. | Cochrane Handbook 10.4.1
MD | Mean difference: the mean with the intervention minus the mean with control, in the unit of the scale. | Cochrane Handbook 6.5.1.1
meta-regression | A line through the effects along a quality of the trials, such as the dose. It is a comparison between trials, so no proof of cause. | Cochrane Handbook 10.11.4
multiverse | Every defensible way of analysing the same trials, side by side: what share of them agree. | Steegen and others 2016, Perspect Psychol Sci 11:702-12
n | The number of patients analysed. | results/README.md
not estimable | The number cannot be computed from what is there, and the reason stands beside it. It is never shown as 0. | docs/reference/effects.md
number needed to treat | How many patients must be treated for one more to benefit, against control: 1 divided by the risk difference. | Altman 1998, BMJ 317:1309-12
OR | Odds ratio: the odds of an event with the intervention divided by those with control. Where events are common it is further from 1 than the risk ratio. | Cochrane Handbook 6.4.1.2
P | How often chance alone would give a difference at least this large if there were none. It says nothing of how large or important a difference is. | Cochrane Handbook 15.3.2
Peto | A way of pooling odds ratios from observed minus expected events. It needs no correction for empty arms, and suits rare events, small effects and arms of like size. | Cochrane Handbook 10.4.2
prediction interval | Where the true effect of a new, similar trial is to be expected. With heterogeneity it is wider than the confidence interval, which is about the mean. | Cochrane Handbook 10.10.4.3
Q | Cochran's Q: the weighted sum of squared distances of the trials from their mean. If only chance is at work it is about the number of trials less one. | Cochrane Handbook 10.10.2
random-effects model | A model in which each trial has a true effect of its own, spread about a mean with variance tau2. The diamond is that mean. | Cochrane Handbook 10.10.4
RD | Risk difference: the risk of an event with the intervention minus the risk with control. | Cochrane Handbook 6.4.1.4
reading | One person's extraction of a source, from an abstract or a full text for instance. Where several read one trial, the protocol says whose numbers count first. | docs/reference/protocol.md
REML | Restricted maximum likelihood: an estimator of tau2 with little bias, found by search and not by a formula. | Viechtbauer 2005, J Educ Behav Stat 30:261-93
required information size | How many patients (or how much information) all trials together must have before their pooled result can be read like that of one sufficient trial. | Wetterslev and others 2008, J Clin Epidemiol 61:64-75
risk of bias | How likely a trial's way of working has shifted its result: judged domain by domain by a published tool. | Cochrane Handbook, chapter 7
RR | Risk ratio: the risk of an event with the intervention divided by the risk with control. Below 1 the event is less frequent with the intervention. | Cochrane Handbook 6.4.1.2
sequential analysis | Trial sequential analysis: how much evidence has gathered against how much is required, with boundaries that allow for looking again after every trial. | Wetterslev and others 2008, J Clin Epidemiol 61:64-75
smallest important difference | The smallest effect that patients would care about. The protocol states it with its source. | Cochrane Handbook, chapter 15
SMD | Standardised mean difference: the difference of means in standard deviations, so that trials on different scales can be pooled. | Cochrane Handbook 6.5.1.2
subgroup analysis | The trials split by a quality such as the kind of pain, each part pooled by itself, with a test of whether the parts differ. | Cochrane Handbook 10.11.3
Summary of Findings | One table of a review's main outcomes: absolute effects, relative effect, patients and trials, certainty, and a plain sentence. | Cochrane Handbook 14.1
tau2 | The variance of the true effects between trials, on the analysis scale. Its root tau is their standard deviation; 0 means no sign of heterogeneity. | Cochrane Handbook 10.10.4
trim and fill | A way of guessing what trials are missing from one side of a funnel plot, and the pooled effect with them filled in. A what-if, not a corrected result. | Duval and Tweedie 2000, Biometrics 56:455-63
Wald interval | Estimate plus and minus a normal quantile times the standard error. It takes tau2 as known, so it is mostly too narrow where trials are few. | Cochrane Handbook 10.10.4
weight | How much a trial counts in the pooled effect, in percent. Precise trials weigh more; tau2 makes weights more alike. | Cochrane Handbook 10.3
window | A span of follow-up times, say 4 to 12 weeks. One result of each trial enters each window. | docs/reference/protocol.md
"""  # noqa: E501
_ROWS = [[cell.strip() for cell in line.split(" | ")] for line in _TERMS.strip().splitlines()]

TERMS: Mapping[str, str] = {term: meaning for term, meaning, _ in _ROWS}
"""Term to its meaning, one sentence or two."""

SOURCES: Mapping[str, str] = {term: source for term, _, source in _ROWS}
"""Term to where it is explained: a publication, a section of the Cochrane Handbook, or a page of ours."""
