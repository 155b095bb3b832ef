"""Every table that the pipeline writes: its columns, their kinds, units and meaning, and the columns that name a row.

TABLES has a block per table: `# file | columns that name a row`, `> what a row is`, and the columns in order. A line with
bars says what columns are (`names | kind | unit | meaning`); a line without takes them as the first block says them. `@file`
takes all columns of that table, `...` stands for the columns of a user's own tables. `<x>_natural`, `guarded_<x>` and the
codes of a column of words need no words where `<x>` has some.

Kinds: id (names something), text, codes (see `reweigh.text.codes`), yes/no, integer, number.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import PurePath

TABLES = """
# *
analysis | id | | which analysis: `<outcome>.<window>`, then measure, set or subgroup column where not the main ones
outcome window set | id | | its name in the protocol
measure | id | | effect measure (SMD: Hedges g)
model | id | | name of the model in the protocol
study_id comparison_id | id | | which trial, and which comparison of it
label | text | | the trial as it is printed
year | integer | year | year of publication
design | id | | `parallel`, `crossover` or `cluster`; empty: not reported, treated as parallel
scale | id | | analysis scale: `natural`, `log`, `z` (Fisher's, of a correlation) or `logit` (of a proportion)
n_intervention n_control | number | patients | patients analysed; in a crossover trial the same patients stand in both, a single group is the intervention
events_intervention events_control | number | patients | patients with the event, as used (counts from percent)
mean_intervention sd_intervention mean_control sd_control | number | scale used | mean and SD as used, after conversion
k | integer | trials | trials pooled
comparisons | integer | effects | effects pooled: more than `k` where a trial gives several
participants | number | patients | patients, those of crossover trials counted once
level | number | share | confidence level
tau2_method | id | | estimator of tau2
ci_method | id | | method of the interval
estimate | number | analysis scale | the effect
se | number | analysis scale | its standard error; of a Bayesian model the posterior standard deviation
variance | number | analysis scale squared | its sampling variance
ci_lower ci_upper | number | analysis scale | its confidence interval
statistic | number | | test statistic
df | number | | its degrees of freedom; inf for a normal test
p_value | number | probability | two-sided P
tau2 | number | analysis scale squared | between-trial variance
i2 | number | percent | share of the variance that is between trials
pi_lower pi_upper | number | analysis scale | prediction interval, from k = 3
q | number | | Cochran's Q
note | text | | what a reader must know, and why something is missing
reason | text | | why
derivation | text | | how the number came about
assumptions | text | | what was assumed
flags | text | | what to be wary of
source | text | | where it was reported
file | id | | `arms.csv` or `contrasts.csv`
row | integer | header = 1 | row of the table as it was typed
timepoint arm | id | | as the row says
stage | id | | where it ended: `trials`, `outcome`, `window`, `arms`, `effects` (not convertible), `choice`
needed | text | | what the full text would have to give
title caption | text | | of the figure
figure | id | | file name, without its ending
kind | id | | folder of the figure
distinct | integer | | number of the distinct analysis

# effects.csv | analysis comparison_id
> One pooled unit (by default a trial) in one analysis. Your own subgroup columns and moderators stand among its columns.
analysis outcome window measure set study_id comparison_id label year design ...
n_intervention n_control events_intervention events_control mean_intervention sd_intervention mean_control sd_control
scale estimate se variance estimate_natural
ci_lower_natural ci_upper_natural | number | natural scale | Wald interval at the protocol's level
corrected | yes/no | | whether a zero cell was corrected
reading | id | | who read the source, where the review has several readings
reported_as | id | | the way of reporting that was used: `arms`, `contrast with CI or SE`, or `exact p`
derivation derivation_codes assumptions assumption_codes flags flag_codes source
rows | text | file:row | the table rows that it rests on (header = row 1)

# units.csv | analysis units comparison_id
> One pooled unit of an analysis in which trials have several comparisons, as a model pools it that counts them in another
> way than `effects.csv`, which has the units of the main model.
@effects.csv
units | id | | `row`: every comparison; `trial`: one effect of each trial; `by_<column>`: one of each trial and subgroup

# not_pooled.csv | analysis study_id comparison_id file row
> One eligible trial with a row for the outcome and window that is not in the pool of one analysis, and why.
analysis study_id comparison_id label file row n_intervention n_control events_intervention events_control reason_code
reason

# rows.csv | file row
> One row of `arms.csv` or `contrasts.csv`: chosen, not chosen or excluded, and the analyses that use it.
file row study_id comparison_id outcome timepoint arm reading
status | id | | `chosen`, `not chosen` (another row of the same trial comes first) or `excluded`
stage reason_code reason needed
used_in | text | analyses | the analyses that use it

# readings.csv | study_id datum reading other_reading side quantity
> One number that two readings of one datum give (rows of `arms.csv` or `contrasts.csv` with the same `datum`), in the order of
> the protocol's `readings`.
study_id label
datum | id | | what the rows are readings of
reading other_reading | id | | who read it
side | id | | `intervention` or `control`, or the measure of a contrast; empty: the readings have no number in common
quantity | id | | `n`, `events`, `percent`, `mean`, `sd` ...; means and SDs in percent of the scale where both name one
value other_value | number | | what each reading says
tolerance | number | | the roundings of both together
agrees | yes/no | | whether they differ by no more than that
rows other_rows | text | file:row | where they stand
reason

# exclusions.csv | file row
> One row of `arms.csv` or `contrasts.csv` that no analysis could use: stage, reason, what the full text would have to give.
file row study_id comparison_id outcome timepoint arm stage reason_code reason needed

# flags.csv | file row study_id outcome code
> One suspicious number (`flag`), or one thing that was not used and must be said (`notice`); docs/reference/flags.md has the rules.
kind | id | | `flag` or `notice`
rule | id | | name of the rule
file | id | | the table that it is about; empty: none
row
study_id label
outcome | id | | the outcome, also one that the protocol does not have
code | codes | | the rule, and what it found
words | text | | the same in words
source | text | | where the rule comes from

# left_out.csv | study_id
> One trial that a review as of a year leaves out (`as_of/<year>/`), undated ones included.
study_id year reason

# crossover_sweep.csv | analysis comparison_id correlation
> One crossover trial at one correlation of the two periods: effect and standard error.
analysis study_id comparison_id label
parameter | id | | r (continuous) or phi (binary) of the two periods; rho of effects that share patients
correlation | number | | its value
limit | number | | the largest phi that the trial's margins allow
scale estimate se variance estimate_natural ci_lower_natural ci_upper_natural
protocol | yes/no | | whether this is the protocol's own value

# dependence_sweep.csv | analysis comparison_id correlation
> One trial whose comparisons share patients, at one correlation of their effects: effect and standard error.
@crossover_sweep.csv

# pooled.csv | analysis model
> One analysis by one model; the main model comes first. The row of model `bayes` (two to five trials, where the protocol has
> a prior): `estimate` is the posterior median, `se` the posterior standard deviation, the intervals are the shortest; `note`
> names the prior.
analysis outcome window measure set model tau2_method ci_method
pooling | id | | `inverse variance`, `mantel-haenszel`, `peto` or `Bayesian`
level scale k comparisons n_intervention n_control participants
estimate se ci_lower ci_upper statistic df p_value estimate_natural ci_lower_natural ci_upper_natural
guarded_ci_lower guarded_ci_upper guarded_p_value guarded_ci_lower_natural guarded_ci_upper_natural
tau2
tau2_ci_lower tau2_ci_upper | number | analysis scale squared | Q-profile interval of tau2
tau | number | analysis scale | root of tau2
i2
i2_ci_lower i2_ci_upper | number | percent | interval of I2, from that of tau2
h2 h2_ci_lower h2_ci_upper | number | | 1 + tau2/typical variance, interval from that of tau2
i2_from_q i2_from_q_ci_lower i2_from_q_ci_upper | number | percent | max(0, (Q - df)/Q), test-based interval (Higgins and Thompson 2002)
h2_from_q h2_from_q_ci_lower h2_from_q_ci_upper | number | | Q/df, test-based interval
q
q_df q_p_value | number | | its degrees of freedom and P
i2_definition | id | | `tau2-based`: tau2/(tau2 + typical variance); `Q-based`: max(0, (Q - df)/Q)
pi_lower pi_upper pi_lower_natural pi_upper_natural
guarded_pi_lower guarded_pi_upper guarded_pi_lower_natural guarded_pi_upper_natural
pi_method | id | | `hartung-knapp` is t(k-1) on the Hartung-Knapp standard error
number_needed | text | | of a risk difference: number needed to treat to benefit (NNTB) or harm (NNTH), through infinity where it must
tau2_path | text | | how tau2 was found: closed form, Newton steps, boundary
note note_codes

# weights.csv | analysis model comparison_id
> One effect in one analysis by one model.
analysis model comparison_id study_id
weight | number | percent | weight of the effect in the pool; empty where the trial is not estimable in that model

# subgroups.csv | analysis model subgroup
> One subgroup of one analysis by one model, with the test for subgroup differences. Columns that `pooled.csv` has too are as
> there.
analysis outcome window measure set
column subgroup | id | | the splitting column and the subgroup, as printed
@pooled.csv
q_between q_between_df q_between_p_value | number | | test for subgroup differences on Wald standard errors, on each row of an analysis and model
q_between_note | text | | why there is no such test
q_between_note_codes
tests_made | integer | tests | how many such tests were made of this analysis by this model, over all subgroup columns

# engines.csv | analysis model number
> One number of `pooled.csv`, by our pooling and by a second, independent computation.
analysis model
number | id | | which column of `pooled.csv`
first_engine second_engine | number | | our pooling (PyMARE, polished); matrix algebra with statsmodels and scipy; they share no code
difference | number | relative | more than a millionth stops the run

# bayes.csv | analysis
> One analysis of two to five trials by the Bayesian random-effects model.
analysis scale k
prior | text | | prior of tau
level | number | share | credible level
mu_mean mu_sd mu_median mu_mode mu_lower mu_upper mu_central_lower mu_central_upper | number | analysis scale | posterior of the mean effect: `lower` and `upper` are the shortest interval, `central_*` that with equal tails
tau_mean tau_sd tau_median tau_mode tau_lower tau_upper tau_central_lower tau_central_upper | number | analysis scale | the same of tau
new_mean new_sd new_median new_mode new_lower new_upper new_central_lower new_central_upper | number | analysis scale | the same of the effect in a new trial
p_better p_important | number | probability | that the mean effect is on the better side, and that it exceeds the smallest important difference
p_better_new p_important_new | number | probability | the same for the effect in a new trial
note note_codes

# meta_regression.csv | analysis regression coefficient
> One coefficient of one meta-regression (Knapp-Hartung).
analysis
regression | id | | its name in the protocol
model scale k
coefficient | id | | the intercept; a moderator, per unit; a category against the reference
estimate se ci_lower ci_upper statistic df p_value
permutation_p_value | number | probability | seeded permutation P
vif | number | | variance inflation factor of the moderator
qm qm_df qm_p_value | number | | omnibus test of the moderators
qe qe_df qe_p_value | number | | residual heterogeneity
tau2 i2 | number | | residual tau2 (analysis scale squared) and I2 (percent)
r2 | number | percent | share of tau2 that the moderators explain
guarded_ci_lower guarded_ci_upper guarded_p_value
note note_codes

# dependence.csv | analysis method
> One method for an analysis in which a trial gives several effects.
analysis
method | id | | how it was pooled
k | integer | effects | effects pooled
trials | integer | trials | trials that give them
scale estimate se ci_lower ci_upper statistic df p_value estimate_natural ci_lower_natural ci_upper_natural
tau2_between tau2_within | number | analysis scale squared | variance between trials, and between effects within trials
note

# crossover_sweep_pooled.csv | analysis correlation
> One main analysis with its crossover trials at one correlation.
analysis
parameter | id | | r (continuous) or phi (binary) of the two periods
correlation | number | | its value
protocol | yes/no | | whether this is the protocol's own value
model scale k comparisons estimate se ci_lower ci_upper estimate_natural ci_lower_natural ci_upper_natural tau2 i2

# dependence_sweep_pooled.csv | analysis correlation
> One main analysis with its comparisons that share patients at one correlation of their effects.
@crossover_sweep_pooled.csv

# sequential.csv | analysis look
> One look of the trial sequential analysis of one main analysis, or the reason why there is none. Trials are added by year;
> boundaries are of Z (Lan-DeMets alpha spending), information is in participants.
analysis measure scale model
interval | id | | method of the interval
difference difference_natural | number | analysis scale | the smallest important difference
assumed | text | | control risk or SD and heterogeneity that the information size rests on, and where they come from
assumed_codes
i2 d2 | number | percent | I2, and diversity D2, that it rests on
tau2
alpha power | number | probability | settings of the protocol
sides | integer | | one or two
spending pooling | id | | alpha spending function; estimator of tau2
size_fixed size_by_i2 size_by_d2 size_by_tau2 | number | participants | required information size without heterogeneity, adjusted by I2, by diversity D2, by tau2
adjustment | id | | which of them is used
required | number | participants | the one used
look | integer | | number of the look
date | integer | year | its year
study_id | text | ids | the trials that it adds
trials | integer | trials | trials so far
information fraction | number | participants; share | participants so far; as a share of the required
estimate se | number | analysis scale | cumulative random-effects estimate
z | number | | its Z
upper lower futility_upper futility_lower | number | Z | boundaries; empty where unreachable or closed, `note` says why
alpha_spent beta_spent | number | probability | error spent so far
ci_lower ci_upper | number | analysis scale | repeated confidence interval
verdict | id | | first boundary crossed: `upper`, `lower`, `futility`, `none`
conclusion | text | | the verdict in words, with its own model and interval; beside a boundary crossed, a main interval that includes no effect, and why; where two or three trials have a D2 of 0, the verdict under the diversities that the protocol assumes
conclusion_codes
reached | yes/no | | whether the required size is reached
adjusted_p_value | number | probability | repeated P
undated | text | ids | trials left out for want of a year
note note_codes

# robustness/leave_one_out.csv | analysis left_out
> One analysis without one of its trials, by the main model.
analysis outcome window measure set model
left_out | id | | the comparison that is left out
label k comparisons estimate se ci_lower ci_upper p_value tau2 q estimate_natural ci_lower_natural ci_upper_natural i2
guarded_ci_lower guarded_ci_upper guarded_p_value guarded_ci_lower_natural guarded_ci_upper_natural
note note_codes

# robustness/cumulative.csv | analysis order step
> One analysis after each trial, by the main model.
analysis outcome window measure set model
order | id | | trials added by `year` or by `precision`
step | integer | | number of the step
added | id | | the comparison that is added
label year k comparisons estimate se ci_lower ci_upper p_value tau2 q estimate_natural ci_lower_natural ci_upper_natural i2
guarded_ci_lower guarded_ci_upper guarded_p_value guarded_ci_lower_natural guarded_ci_upper_natural
note note_codes

# robustness/influence.csv | analysis comparison_id
> Case diagnostics of one trial in one analysis, as metafor's `influence()` gives them.
analysis outcome window measure set model comparison_id label k comparisons
rstudent dffits dfbetas cook_d cov_r tau2_del q_del hat | number | | studentised deleted residual, DFFITS, DFBETAS, Cook's distance, covariance ratio, tau2 and Q without it, hat value
weight | number | percent | weight of the effect in the pool
baujat_x baujat_y | number | | coordinates of the Baujat plot
influential | yes/no | | whether metafor's rules call the trial influential
note note_codes

# robustness/fragility.csv | analysis criterion
> Smallest set of trials whose removal changes one conclusion of one analysis.
analysis outcome window measure set model k comparisons
criterion | id | | the conclusion: significance, direction, smallest important difference
verdict | text | | in words
verdict_code | codes | | `changes`, `at_least`, `robust`, `one_left` or `not_applicable`
size | integer | trials | trials in the smallest set
removed | text | ids | one such set
removed_codes
labels | text | | its trials as printed
sets | integer | | how many such sets there are
tried | integer | | how many removals were tried
before | text | | the conclusion with all trials
before_code
after | text | | the conclusion without the set
after_code
estimate ci_lower ci_upper estimate_natural ci_lower_natural ci_upper_natural
guarded_ci_lower guarded_ci_upper guarded_p_value guarded_ci_lower_natural guarded_ci_upper_natural
note note_codes

# robustness/small_study.csv | analysis method
> One test of funnel plot asymmetry, or one effect adjusted for it; below the protocol's `minimum_trials` the reason why
> there is none.
analysis outcome window measure set model
method | id | | Egger and related tests, trim and fill, PET-PEESE, selection model, limit meta-analysis, fail-safe N
k comparisons
bias bias_se | number | | slope or intercept that tells of asymmetry, and its standard error
statistic df p_value estimate se ci_lower ci_upper estimate_natural ci_lower_natural ci_upper_natural
k0 | integer | trials | trials filled in
side | id | | on which side
weight | number | share | selection model: relative chance of publication of a trial that is not significant
g2 | number | percent | limit meta-analysis: share of the heterogeneity left
fail_safe_n | integer | trials | fail-safe N
note note_codes

# robustness/subsets.csv | analysis
> All subsets of two trials or more of one analysis (a seeded sample beyond 16 trials); `robustness/subsets.npz` holds each
> subset's numbers.
analysis outcome window measure set model k comparisons
subsets | integer | | number of subsets
complete | yes/no | | whether these are all
lowest median highest | number | analysis scale | range of the estimate
better excludes_no_effect | number | percent | subsets on the better side; whose interval excludes no effect
split_by split_label | text | | trial whose presence splits the estimates most
split_share | number | percent | share of their variance that this explains
mean_with mean_without | number | analysis scale | mean estimate of the subsets with and without it
note note_codes

# robustness/multiverse.csv | analysis options
> One specification: one choice for each option of the protocol's multiverse. `distinct` numbers those that differ.
analysis outcome window
options | text | | what is chosen of each option
option_codes
distinct k comparisons measure
pooling | id | | `inverse variance`, `mantel-haenszel` or `peto`
tau2_method ci_method estimate se ci_lower ci_upper
p_value tau2 i2 guarded_ci_lower guarded_ci_upper guarded_p_value reason reason_code
better excludes_no_effect better_and_excludes exceeds_important | yes/no | | whether each statement holds
benefit | number | see unit | the effect, benefit counted as positive; of a single group the estimate
unit | id | | smallest important differences, or standard errors; of a single group the analysis scale

# robustness/multiverse_summary.csv | analysis kind name
> How many distinct analyses a statement holds in, and how far each choice moves the estimate.
analysis outcome window
kind | id | | `statement`, `choice`, `no difference` or `none`
distinct | integer | | distinct analyses
name words | text | | the statement, in words, or the choice
holds of | integer | analyses | in how many it holds, of how many that can say
share | number | percent | the same in percent
note note_codes
unit | id | | unit of `range`
options | integer | | options of the choice
range | number | see unit | by how much the choice moves the estimate at most
flips | number | percent | how often it changes whether the interval excludes no effect

# robustness/conclusions.csv | analysis
> Two computed sentences on one analysis.
analysis
fragility | text | | how fragile it is
fragility_codes
alternatives | text | | what the defensible alternatives say
alternatives_codes

# certainty.csv | analysis domain
> One GRADE domain of one analysis by the main model.
analysis outcome window measure set model k comparisons
certainty start | id | | final and starting level: high, moderate, low, very low
domain judgement | text | | GRADE domain, and the judgement in words
levels | integer | levels | levels down
rule | id | | the rule's id (docs/reference/claims.md)
figures | text | | the figures that it rests on
figure_codes
overridden_by override_reason | text | | a person's override (`certainty_overrides.csv` in the data folder)

# summary_of_findings.csv | analysis
> One main analysis: absolute effects, certainty and its sentence; also as `.html` and `.docx`.
analysis outcome window measure k comparisons participants
outcome_label participants_text effect | text | | outcome and window, patients (trials), relative effect, as printed
control_per_1000 | number | per 1000 | assumed risk of control
intervention_per_1000 difference_per_1000 | text | per 1000 | risk with the intervention, and the difference, with interval
certainty | id | | high, moderate, low, very low
certainty_text reasons sentence | text | | certainty with its symbols, why it was lowered, the GRADE sentence

# claims.csv | id
> One claim: the verdict and the numbers behind it; a page each lies in `claims/`, and all of it in `claims.json`.
id page | id | | the claim, and where it is made
claim | text | | its words
verdict verdict_effect | id | | by rule (docs/reference/claims.md); the verdict without the demand on certainty
answer | text | | the answer in one sentence, to quote
count | text | | trials and patients that it rests on, in words
reason reason_codes
k | integer | trials | trials that the verdict rests on
comparisons | integer | effects | their effects: more than `k` where a trial gives several
n | integer | patients | their patients
verdict_at_half_difference verdict_at_twice_difference | id | | the verdict at half and at twice the smallest important difference
certainty | id | | high, moderate, low, very low
certainty_reasons | text | | why it was lowered
certainty_codes | codes | | the same in codes
leans_on citation | text | | what it cites, and whether that exists and supports it
citation_counts | yes/no | | whether what it cites counts as support
analysis
best_now best_as_of review_now review_as_of | text | | effect under current practice and under the cited review's method, now and as of its year
verdict_best_as_of verdict_review_now verdict_review_as_of | id | | the verdict under each of them
review_method review_method_of | text | | that method, and whose it is
as_of | integer | year | that year
rests_on | text | | whose readings of the sources the numbers rest on; empty: the review has one reading
rests_on_codes | codes | | the same in codes
by_reading | text | | the verdict that each reading of the sources alone would give, where a set has that reading
by_reading_codes | codes | | the same in codes
multiverse | text | | what the defensible alternatives say
multiverse_codes
sequential | text | | what trial sequential analysis says
sequential_codes
would_change | text | | what evidence would change the verdict

# reproduction.csv | row
> One published estimate, recomputed by the model that it used. Estimate and interval are on the scale of the print.
row
review_id | id | | the review that published it
label | text | | its authors and year
year
outcome timepoint subgroup measure | text | | what it is, as `published.csv` says
printed | text | | the estimate and its interval (or SE) as printed, digit by digit
printed_estimate printed_ci_lower printed_ci_upper printed_i2 printed_se printed_k | number | scale of the print; trials | the same as numbers
printed_p | text | | the P that it prints
printed_model | text | | the model that it names
estimate_scale | id | | scale of the print: `natural`, or the analysis scale of the measure
moderators coefficient | text | | of a meta-regression: its moderators, and which coefficient is printed
checked | text | | whether the print was read
verdict | id | | `reproduced`; `agrees, print not re-read`; `found by search`; `within rounding of inputs`; `not reproduced`; `not reproducible from public data`
found_model set | text | | by which model, and of which set
trials | text | | which trials of the set
trials_codes
k | integer | trials | trials pooled
estimate ci_lower ci_upper | number | scale of the print | what we find
i2
se | number | analysis scale | standard error of what we find
p_value
se_agrees p_agrees | yes/no | | whether the printed SE and P come out, too; empty: none is printed
difference | number | last digits | by how much estimate or interval differ
methods_tried distinct_results | integer | | methods tried, on all choices of trials; results that differ
print_alike distinct_alike | integer | | methods that give every printed digit; the results among them that differ
trials_tried | integer | | choices of trials tried
models_that_agree nearest missing | text | | other models that give the printed digits; the nearest method; what is not public
missing_codes note note_codes
grade | id | | certainty, as its authors say
our_analysis our_measure | id | | our estimate of the same question
our_k our_estimate our_ci_lower our_ci_upper | number | natural scale; trials | its numbers

# reproduction_methods.csv | row number
> One method tried on one published estimate: the search of the ledger, in the order tried.
row
number | integer | | number of the attempt
set
trials | text | | which trials of the set
trials_codes
searched | yes/no | | whether these trials were searched: the print does not say that it pools them
of | id | | the measure that was pooled
method | text | | pooling, model, interval, and how the effects of the trials were computed
pooling | id | | `inverse variance`, `mantel-haenszel` (`corrected`: 0.5 added in trials with a zero cell) or `peto`
tau2_method ci_method
formula_codes | codes | | how the effects of the trials were computed; empty: there is one way
k
estimate ci_lower ci_upper | number | scale of the print | what it gives
i2
se | number | analysis scale | its standard error
p_value
digits digits_printed | integer | digits | printed digits that it gives, each number from the left to the first that differs; digits printed
agrees | yes/no | | whether it gives all of them
named | id | | whether the source names it: `yes`, `open` (the source does not say), or `no` (it cannot be)
cannot | text | | why it cannot be
cannot_codes

# published_checks.csv | row check
> One check of a published row against itself.
row
review_id label outcome timepoint subgroup measure | text | | what it is, as `published.csv` says
check | id | | p against CI, symmetry, counts, abstract against table
result | id | | `consistent`, `flag` or `cannot be checked`
detail | text | | why

# checked/studies.csv | study_id
> One trial, as checked. Your own columns are text, unless the protocol takes numbers from them.
row study_id label year doi pmid registry_id design condition eligible exclusion_reason note source_urls ...
doi pmid registry_id condition exclusion_reason source_urls | text | | as typed
eligible | yes/no | | whether the trial is eligible

# checked/arms.csv | row
> One arm of one trial at one time point, as checked; your own subgroup columns of rows behind.
row study_id comparison_id label
outcome outcome_definition | text | | what was measured
timepoint
timepoint_days | number | days | its day
arm
role | id | | `intervention`, `control` or `other`
design | id | | of this comparison, where it is not the trial's
reading | id | | who read the source, where the review has several readings
datum | id | | what this row is a reading of
datum_reason | text | | why rows are readings of one datum
scale_min scale_max | number | scale of the table | ends of the scale
better | id | | which direction is better: `lower` or `higher`
n | integer | patients | patients analysed
mean sd se ci_lower ci_upper median q1 q3 min max | number | scale of the table | as reported
ci_level | number | share or percent | level of the interval; empty: 95%
events | integer | patients; events | patients with the event; events where there is person time
percent | number | percent | the same in percent
person_time | number | | person time at risk
baseline_mean baseline_sd change_mean change_sd | number | scale of the table | before treatment, and the change since
correlation phi icc | number | | of the periods of a crossover trial, or within clusters
cluster_size | number | patients | mean size of a cluster
discordant1 discordant2 | integer | patients | with the event in this period only, in the other only
evidence source_url source location extracted_by note | text | | where it was read, and by whom
contradicted_by | text | | what another source has instead of a number of the row
...

# checked/contrasts.csv | row
> One result between arms of one trial at one time point, as checked; your own subgroup columns of rows behind.
row study_id comparison_id label
outcome outcome_definition | text | | what was measured
timepoint
timepoint_days | number | days | its day
measure design reading datum datum_reason
scale_min scale_max | number | scale of the table | ends of the scale
estimate_scale | id | | `natural`, `log` (of a ratio), `z` (of a correlation) or `logit` (of a proportion)
estimate se ci_lower ci_upper | number | natural scale | as reported; `se` is that of the analysis scale
ci_level | number | share or percent | level of the interval; empty: 95%
p_value
p_operator | id | | `<` and the like where P is a bound
t f z df oe v | number | | statistics as reported; observed minus expected events and their variance
better direction | id | | which direction is better; whom a result without a sign favours
n_intervention n_control | integer | patients | patients analysed
paired | yes/no | | whether the test was paired
p_test | id | | which test it was
evidence source_url source location extracted_by note | text | | where it was read, and by whom
contradicted_by | text | | what another source has instead of a number of the row
...

# checked/risk_of_bias.csv | row
> One judgement of one trial, as checked.
row study_id outcome tool domain judgement support judged_by note ...
tool domain judgement support judged_by | text | | as typed

# changes.csv | review kind id field
> One thing that is not the same in two results of a review: those that the protocol calls `former` and these, or the two that
> `reweigh compare` was given. Numbers are the same within 1e-9 of their size. Empty where nothing changed or there is no former.
review | id | | the review
kind | id | | `review` (only one side has it), `trial`, `row` (of a table as checked), `protocol`, `programme`, `estimate`, `certainty`, `verdict`, `published estimate`
id | id | | which one: trial, file and row (the former row where it is gone), key, package, analysis and model, analysis, claim, print
field | id | | its column; of a certainty also the domain; empty: all of it is new or gone
old new | text | | as the former and the new results have it; empty: not there
study_id
label | text | | the trial or the claim as it is printed
cause | text | | what moved it: the changed trials of its own pool, and what each alone makes of the former estimate; keys of the protocol; the programme
cause_codes

# corpus.csv | review outcome
> One analysis (outcome) of one review of a corpus: RevMan's printed results beside ours by its authors' model (`revman_`),
> and current practice: REML with Hartung-Knapp (`reml_hk_`), its guarded interval, its prediction interval.
review | id | | the review's folder
doi | id | | where its tables come from
analysis outcome
label | text | | of the outcome
measure scale level k comparisons
n | number | patients | patients pooled
rows rows_back | integer | rows | results of rows that RevMan printed, and those that come back at two decimals
row_codes | codes | | why the others do not, with their number
pools | id | | weights that sum to 100: `whole` analysis, or `subgroups` one by one; empty: none do
printed_estimate | number | natural scale | mean of RevMan's printed row results by its printed weights
pooled_estimate | number | natural scale | ours of the same rows, by the model that the weights imply
weights_difference | number | percentage points | largest difference between a printed weight and ours
model_implied | id | | the model that gives RevMan's weights back
agreement | id | | `agrees`; `estimate_differs`, `weights_differ` (by more than 0.1 point), `rows_differ`, `rows_left_out`, `not_pooled`; `no_weights`, `weights_of_no_pool`, `nothing_printed`, `nothing_pooled`
revman_estimate revman_ci_lower revman_ci_upper | number | natural scale | by the model of the review's authors
revman_p_value | number | probability | its two-sided P
reml_hk_estimate reml_hk_ci_lower reml_hk_ci_upper | number | natural scale | by REML with the Hartung-Knapp interval
reml_hk_p_value | number | probability | its two-sided P
guarded_ci_lower guarded_ci_upper | number | natural scale | its interval with a scale factor of at least 1
guarded_p_value | number | probability | its two-sided P
pi_lower pi_upper | number | natural scale | its prediction interval, from k = 3
tau2
revman_says reml_hk_says guarded_says | id | | whether the interval lies `above` or `below` no effect, or includes it (`unclear`)
change_reml_hk change_guarded | id | | what becomes of the authors' conclusion on no effect: `lost`, `gained`, `turned`, `none`
revman_important guarded_important | id | | the interval lies beyond a bound of an important effect (`important`), within both (`unimportant`), or `unclear`; empty: no bound was named
change_important | id | | `none`, or what it was and became
hk_narrow | yes/no | | whether the Hartung-Knapp interval is narrower than the common-effect one; empty where there is none
pi_includes_no_effect | yes/no | | whether the prediction interval does
decisive_trial | text | | the trial without which the guarded interval says something else of no effect, from three trials
decisive_trials | integer | trials | how many such trials there are
reason | text | | why something is missing, and what a reader must know
reason_codes

# corpus_problems.csv | review stage
> One review of a corpus that went no further, and why; the others did not wait for it.
review stage
problem | text | | the report of the stage

# gallery.csv | review row
> One published estimate of one review of the gallery: its row of `reproduction.csv`.
review | id | | the review's folder
title | text | | its title
@reproduction.csv

# metafor.csv | analysis comparison_id
> One effect in one analysis, ready for `metafor::rma(yi, vi)`; your own subgroup columns and moderators stand among its columns.
analysis comparison_id label year design ...
yi | number | analysis scale | the effect
vi | number | analysis scale squared | its sampling variance

# figures/index.csv | kind analysis
> One figure of the folders `forest`, `forest_revman`, `forest_jama`, `forest_bmj`, `sweep`, `bubble` and `flow`.
kind analysis title caption

# figures/robustness.csv | analysis kind
> One figure of `figures/robustness/`: leave-one-out and cumulative (of three trials or more), funnel and radial (with a
> caution below the protocol's `minimum_trials`), Baujat, L'Abbe, drapery, influence, GOSH, specification curve.
analysis kind title caption

# figures/sequential.csv | analysis
> One figure of `figures/sequential/`: cumulative Z against information with the boundaries.
analysis title caption

# figures/timeline.csv | figure
> One figure of `figures/timeline/`: published estimates by year with ours last.
figure title caption

# figures/risk_of_bias.csv | figure
> One figure of `figures/risk_of_bias/`: traffic lights and weighted bars.
figure title caption
"""


@dataclass(frozen=True, slots=True)
class Column:
    """What the cells of a column are."""

    kind: str
    unit: str
    meaning: str

    @property
    def numeric(self) -> bool:
        """Whether its cells are numbers."""
        return self.kind in ("integer", "number")


@dataclass(slots=True)
class Schema:
    """A table: the columns that name a row, what a row is, and its columns by name in order."""

    keys: tuple[str, ...]
    what: str
    columns: dict[str, Column] = field(default_factory=dict)
    #: How many of the columns stand before a user's own ones; None: it has no such columns.
    own_at: int | None = None


@cache
def schemas() -> Mapping[str, Schema]:
    """Every table by its path below a review's folder (`checked/` lies in the working folder)."""
    first, *blocks = TABLES.strip().split("\n\n")
    general = {name: column for names, column in _lines(first) if column for name in names}
    found: dict[str, Schema] = {}
    for block in blocks:
        file, _, keys = block.partition("\n")[0].removeprefix("# ").partition(" | ")
        what = " ".join(line[2:] for line in block.splitlines() if line.startswith("> "))
        schema = found[file] = Schema(tuple(keys.split()), what)
        for names, said in _lines(block):
            for name in names:
                if name == "...":
                    schema.own_at = len(schema.columns)
                elif name.startswith("@"):
                    of = found[name[1:]]
                    schema.own_at = schema.own_at if of.own_at is None else of.own_at
                    schema.columns |= {n: c for n, c in of.columns.items() if n not in schema.columns}
                else:
                    schema.columns[name] = said or _as_said(name, general | schema.columns)
    return found


def _lines(block: str) -> Iterator[tuple[list[str], Column | None]]:
    """Names of each line of a block, and what it says of them."""
    for line in block.splitlines():
        if not line.startswith(("#", ">")):
            names, *said = (part.strip() for part in line.split("|"))
            yield names.split(), Column(said[0], said[1], said[2]) if said else None


def _as_said(name: str, known: Mapping[str, Column]) -> Column:
    """What a name without words of its own is; raises KeyError where nothing says so."""
    if name in known:
        return known[name]
    if name.startswith("guarded_"):
        column = _as_said(name.removeprefix("guarded_"), known)
        return replace(column, meaning=f"{column.meaning}, Hartung-Knapp scale factor at least 1")
    if name.endswith("_natural"):
        return replace(known[name.removesuffix("_natural")], unit="natural scale")
    stem = name.removesuffix("s").removesuffix("_code")
    return Column("codes", "", f"`{stem if stem in known else f'{stem}s'}` in codes")


def schema_of(path: object) -> Schema:
    """The table that a path names: by its folder and name, else by its name.

    Raises
    ------
    KeyError
        Where it is no table of ours, or the name alone may be several.
    """
    name = PurePath(str(path)).name
    known = schemas()
    for key in (f"{PurePath(str(path)).parent.name}/{name}", name):
        if key in known:
            return known[key]
    several = [key for key in known if key.endswith(f"/{name}")]
    return known[several[0] if len(several) == 1 else name]


def columns(file: str) -> tuple[str, ...]:
    """Names of a table's columns, in order, without a user's own."""
    return tuple(schemas()[file].columns)
