"""Excerpts of real reviews: rows copied unchanged from the tables under data/."""

from __future__ import annotations

import pytest

from reweigh.tables.review import TableRules, check_review

KETAMINE_STUDIES = """\
study_id,label,year,doi,pmid,registry_id,design,condition,pain_type,pain_mechanism,cancer_pain,route,dosing,regimen,ketamine_alone,comparator_type,comparator,n_randomised,country,eligible,exclusion_reason,note,source_urls
amr2010,Amr 2010,2010,,20495588,,parallel,neuropathic pain after spinal cord injury,spinal_cord_injury,neuropathic,no,intravenous,repeated,"ketamine 80 mg in 500 ml saline over 5 h daily for 7 days, plus gabapentin 300 mg three times daily",yes,placebo,saline infusion plus gabapentin 300 mg three times daily,40,Egypt,yes,,20/20. Late p 0.54 and 0.25 identical to amr2011 (same author); a review table gives both trials identical baselines: integrity concern. No means visible.,https://pubmed.ncbi.nlm.nih.gov/20495588/ | https://suppr.wilddata.cn/browses/detail/pubmed/20495588 | https://www.unboundmedicine.com/medline/citation/20495588/Multi_day_low_dose_ketamine_infusion_as_adjuvant_to_oral_gabapentin_in_spinal_cord_injury_related_chronic_pain:_a_prospective_randomized_double_blind_trial_ | https://www.metajournal.com/articles/183168/multi-day-low-dose-ketamine-infusion-adjuvant-oral-gabapentin-spinal-cord-injury
bouwense2011,Bouwense 2011,2011,10.1097/AAP.0b013e3182177022,21490522,,crossover,chronic pancreatitis,other,mixed,no,intravenous,single,S-ketamine 2 ug/kg/min for 3 h,yes,placebo,placebo infusion,10,Netherlands,yes,,"9 of 10 completed. VAS: no significant change, no numbers; only pressure pain thresholds numeric.",https://doi.org/10.1097/AAP.0b013e3182177022 | https://suppr.wilddata.cn/browses/detail/pubmed/21490522 | https://rapm.bmj.com/content/36/3/303-307.abstract
hardy2012,Hardy 2012,2012,10.1200/JCO.2012.42.1081,22965960,,parallel,refractory chronic cancer pain,cancer,mixed,yes,subcutaneous,continuous,"ketamine 100, 300, 500 mg/24 h dose escalation over 3-5 days",yes,placebo,saline subcutaneous infusion,185,Australia,yes,,185 = number in the primary analysis (93/92); a nursing summary says 149.,https://doi.org/10.1200/JCO.2012.42.1081 | http://www.pubmed.gov/22965960/ | https://pmc.ncbi.nlm.nih.gov/articles/PMC6481583/table/CD003351-tblf-0004 | https://www.ons.org/node/131276?print=true | https://read.qxmd.com/read/22965960/
pickering2020,Pickering 2020,2020,10.1097/ALN.0000000000003345,,NCT02467517; EudraCT 2015-000142-29,crossover,refractory neuropathic pain,neuropathic,neuropathic,no,intravenous,single,"ketamine 0.5 mg/kg, one infusion per 35-day period; also ketamine 0.5 mg/kg plus magnesium sulfate 3 g",yes,placebo,placebo/placebo,20,France,yes,,"3-period crossover, n = 20 in each. +/- unlabelled, SD forced by the 0-350 range of the AUC. Printed effect sizes are within-person (t over root n). Sign of the placebo vs ketamine/magnesium contrast disagrees with the means.",https://doi.org/10.1097/ALN.0000000000003345 | https://pubs.asahq.org/anesthesiology/article/133/1/154/109123/Ketamine-and-Magnesium-for-Refractory-Neuropathic | https://www.springermedicine.com/link?doi=10.1186/s13063-017-2254-3 | https://docslib.org/doc/1927268/ketamine-and-magnesium-for-refractory-neuropathic-pain
sigtermans2009,Sigtermans 2009,2009,10.1016/j.pain.2009.06.023,,,parallel,"complex regional pain syndrome type 1, severe pain",crps,nociplastic,no,intravenous,continuous,S(+)-ketamine 4.2-day individually titrated infusion (22.2 +/- 2.0 mg/h/70 kg at end),yes,placebo,saline infusion,60,Netherlands,yes,,"30/30. +/- unlabelled, adjudicated as SE (PROVENANCE.md). Week 1 is the lowest point of the curve, i.e. selected. 76% and 18% are not whole counts of 30.",https://doi.org/10.1016/j.pain.2009.06.023 | https://linkinghub.elsevier.com/retrieve/pii/S0304-3959(09)00368-6 | http://clusterheadacheinfo.wikidot.com/targetreferencefiles:13 | https://pmc.ncbi.nlm.nih.gov/articles/PMC10688501/table/T1 | https://journals.lww.com/pain/pages/articleviewer.aspx?year=2009&issue=10000&article=00010&type=abstract
benish2019,Benish 2019,2019,10.1016/j.jemermed.2018.12.007,30910061,,parallel,primary headache,headache,mixed,no,intranasal,single,intranasal ketamine,yes,active,metoclopramide plus diphenhydramine IV,53,United States,no,acute headache in the emergency department,27/26. A only.,https://doi.org/10.1016/j.jemermed.2018.12.007 | https://www.unboundmedicine.com/medline/citation/30910061/The_THINK__Treatment_of_Headache_with_Intranasal_Ketamine__Trial:_A_Randomized_Controlled_Trial_Comparing_Intranasal_Ketamine_with_Intravenous_Metoclopramide_
zitek2018,Zitek 2018,2018,,,,parallel,benign headache,headache,mixed,no,intravenous,single,ketamine plus ondansetron,no,active,prochlorperazine plus diphenhydramine,54,United States,no,acute headache in the emergency department,Conference abstract and paper give different p. A only.,https://it.scribd.com/document/406169397/video-12 | https://discovery.researcher.life/article/269-the-check-trial-a-comparison-of-headache-treatment-in-the-emergency-department-prochlorperazine-versus-ketamine/d89a486797be336a8ce4f43eeba155f1
"""

KETAMINE_ARMS = """\
study_id,outcome,outcome_definition,timepoint,timepoint_days,arm,role,scale_min,scale_max,n,mean,sd,se,ci_lower,ci_upper,median,q1,q3,events,percent,evidence,source_url,location,extracted_by,note
bouwense2011,pressure_pain_threshold,"change of summed pressure pain thresholds, higher is better",end of 3-h infusion,0,S-ketamine,intervention,,,9,,,,,,218,116,527,,,218 (IQR 116 to 527) vs -123 (IQR -330 to 24),https://suppr.wilddata.cn/browses/detail/pubmed/21490522,abstract,A+B,"crossover, same 9 patients"
bouwense2011,pressure_pain_threshold,"change of summed pressure pain thresholds, higher is better",end of 3-h infusion,0,placebo,control,,,9,,,,,,-123,-330,24,,,218 (IQR 116 to 527) vs -123 (IQR -330 to 24),https://suppr.wilddata.cn/browses/detail/pubmed/21490522,abstract,A,"crossover, same 9 patients"
bouwense2011,pain_intensity,VAS at rest,baseline,,all participants,other,0,100,9,,,,,,29,,,,,"median 29 mm at rest, 32 mm active, all participants",https://rapm.bmj.com/content/36/3/303-307.abstract,abstract,B,
hardy2012,responder,"BPI average pain down 2 points or more, at most 4 breakthrough doses, acceptable toxicity",end of 3-5 day treatment,5,ketamine,intervention,,,93,,,,,,,,,29,,29 of 93 (31%) vs 25 of 92 (27%),http://www.pubmed.gov/22965960/,abstract,A+B,
hardy2012,responder,"BPI average pain down 2 points or more, at most 4 breakthrough doses, acceptable toxicity",end of 3-5 day treatment,5,placebo,control,,,92,,,,,,,,,25,,29 of 93 (31%) vs 25 of 92 (27%),http://www.pubmed.gov/22965960/,abstract,A+B,
pickering2020,pain_intensity,area under daily pain intensity (0-10) over 35 days,35 days after infusion,35,ketamine,intervention,0,350,20,185,100,,,,,,,,,"AUC 185 +/- 100, 196 +/- 92, 187 +/- 90 score-days, +/- unlabelled; n = 20 crossover",https://pubs.asahq.org/anesthesiology/article/133/1/154/109123/Ketamine-and-Magnesium-for-Refractory-Neuropathic,abstract,A+B,+/- adjudicated as SD; same 20 patients in every arm
pickering2020,pain_intensity,area under daily pain intensity (0-10) over 35 days,35 days after infusion,35,ketamine + magnesium,other,0,350,20,196,92,,,,,,,,,"AUC 185 +/- 100, 196 +/- 92, 187 +/- 90 score-days, +/- unlabelled; n = 20 crossover",https://pubs.asahq.org/anesthesiology/article/133/1/154/109123/Ketamine-and-Magnesium-for-Refractory-Neuropathic,abstract,A+B,+/- adjudicated as SD; same 20 patients in every arm
pickering2020,pain_intensity,area under daily pain intensity (0-10) over 35 days,35 days after infusion,35,placebo,control,0,350,20,187,90,,,,,,,,,"AUC 185 +/- 100, 196 +/- 92, 187 +/- 90 score-days, +/- unlabelled; n = 20 crossover",https://pubs.asahq.org/anesthesiology/article/133/1/154/109123/Ketamine-and-Magnesium-for-Refractory-Neuropathic,abstract,A+B,+/- adjudicated as SD; same 20 patients in every arm
pickering2020,any_adverse_event,at least one adverse event,during infusion,0,ketamine,intervention,,,20,,,,,,,,,,20,"10% placebo, 20% ketamine, 35% ketamine + magnesium; n = 20 crossover",https://pubs.asahq.org/anesthesiology/article/133/1/154/109123/Ketamine-and-Magnesium-for-Refractory-Neuropathic,abstract,A+B,same 20 patients in every arm
pickering2020,any_adverse_event,at least one adverse event,during infusion,0,ketamine + magnesium,other,,,20,,,,,,,,,,35,"10% placebo, 20% ketamine, 35% ketamine + magnesium; n = 20 crossover",https://pubs.asahq.org/anesthesiology/article/133/1/154/109123/Ketamine-and-Magnesium-for-Refractory-Neuropathic,abstract,A+B,same 20 patients in every arm
pickering2020,any_adverse_event,at least one adverse event,during infusion,0,placebo,control,,,20,,,,,,,,,,10,"10% placebo, 20% ketamine, 35% ketamine + magnesium; n = 20 crossover",https://pubs.asahq.org/anesthesiology/article/133/1/154/109123/Ketamine-and-Magnesium-for-Refractory-Neuropathic,abstract,A+B,same 20 patients in every arm
sigtermans2009,pain_intensity,NRS pain score,end of week 1,7,ketamine,intervention,0,10,30,2.68,,0.51,,,,,,,,"2.68 +/- 0.51 vs 5.45 +/- 0.48, +/- unlabelled; n 30 vs 30",https://journals.lww.com/pain/pages/articleviewer.aspx?year=2009&issue=10000&article=00010&type=abstract,abstract,A+B,+/- adjudicated as SE; lowest point of the 12-week curve
sigtermans2009,pain_intensity,NRS pain score,end of week 1,7,placebo,control,0,10,30,5.45,,0.48,,,,,,,,"2.68 +/- 0.51 vs 5.45 +/- 0.48, +/- unlabelled; n 30 vs 30",https://journals.lww.com/pain/pages/articleviewer.aspx?year=2009&issue=10000&article=00010&type=abstract,abstract,A+B,+/- adjudicated as SE; lowest point of the 12-week curve
sigtermans2009,psychotomimetic,mild to moderate psychomimetic side effects,during infusion (4.2 days),0,ketamine,intervention,,,30,,,,,,,,,,76,"76% vs 18%, P < 0.001",https://journals.lww.com/pain/pages/articleviewer.aspx?year=2009&issue=10000&article=00010&type=abstract,abstract,A+B,n = randomised; percentages are not whole counts of 30
sigtermans2009,psychotomimetic,mild to moderate psychomimetic side effects,during infusion (4.2 days),0,placebo,control,,,30,,,,,,,,,,18,"76% vs 18%, P < 0.001",https://journals.lww.com/pain/pages/articleviewer.aspx?year=2009&issue=10000&article=00010&type=abstract,abstract,A+B,n = randomised; percentages are not whole counts of 30
benish2019,pain_reduction,"mean VAS change in mm, higher is better",30 min,0,ketamine,intervention,0,100,27,29.0,,,,,,,,,,"29.0 vs 22.2 mm, no dispersion",https://www.unboundmedicine.com/medline/citation/30910061/The_THINK__Treatment_of_Headache_with_Intranasal_Ketamine__Trial:_A_Randomized_Controlled_Trial_Comparing_Intranasal_Ketamine_with_Intravenous_Metoclopramide_,abstract,A,acute headache
benish2019,any_adverse_event,any side effect,emergency visit,0,ketamine,intervention,,,27,,,,,,,,,,66.7,66.7% vs 65.4%,https://www.unboundmedicine.com/medline/citation/30910061/The_THINK__Treatment_of_Headache_with_Intranasal_Ketamine__Trial:_A_Randomized_Controlled_Trial_Comparing_Intranasal_Ketamine_with_Intravenous_Metoclopramide_,abstract,A,acute headache
benish2019,admission,admitted for headache,emergency visit,0,ketamine,intervention,,,27,,,,,,,,,1,3.7,1 (3.7%) vs 3 (11.5%),https://www.unboundmedicine.com/medline/citation/30910061/The_THINK__Treatment_of_Headache_with_Intranasal_Ketamine__Trial:_A_Randomized_Controlled_Trial_Comparing_Intranasal_Ketamine_with_Intravenous_Metoclopramide_,abstract,A,acute headache
benish2019,pain_reduction,"mean VAS change in mm, higher is better",30 min,0,metoclopramide + diphenhydramine,control,0,100,26,22.2,,,,,,,,,,"29.0 vs 22.2 mm, no dispersion",https://www.unboundmedicine.com/medline/citation/30910061/The_THINK__Treatment_of_Headache_with_Intranasal_Ketamine__Trial:_A_Randomized_Controlled_Trial_Comparing_Intranasal_Ketamine_with_Intravenous_Metoclopramide_,abstract,A,acute headache
benish2019,any_adverse_event,any side effect,emergency visit,0,metoclopramide + diphenhydramine,control,,,26,,,,,,,,,,65.4,66.7% vs 65.4%,https://www.unboundmedicine.com/medline/citation/30910061/The_THINK__Treatment_of_Headache_with_Intranasal_Ketamine__Trial:_A_Randomized_Controlled_Trial_Comparing_Intranasal_Ketamine_with_Intravenous_Metoclopramide_,abstract,A,acute headache
benish2019,admission,admitted for headache,emergency visit,0,metoclopramide + diphenhydramine,control,,,26,,,,,,,,,3,11.5,1 (3.7%) vs 3 (11.5%),https://www.unboundmedicine.com/medline/citation/30910061/The_THINK__Treatment_of_Headache_with_Intranasal_Ketamine__Trial:_A_Randomized_Controlled_Trial_Comparing_Intranasal_Ketamine_with_Intravenous_Metoclopramide_,abstract,A,acute headache
zitek2018,pain_reduction,"mean VAS improvement in mm, higher is better",45 min,0,ketamine,intervention,0,100,,38.0,,,,,,,,,,"38.0 vs 56.1 mm, no dispersion",https://it.scribd.com/document/406169397/video-12,abstract,A,acute headache
zitek2018,pain_reduction,"mean VAS improvement in mm, higher is better",45 min,0,prochlorperazine,control,0,100,,56.1,,,,,,,,,,"38.0 vs 56.1 mm, no dispersion",https://it.scribd.com/document/406169397/video-12,abstract,A,acute headache
zitek2018,pain_reduction,"mean VAS improvement in mm, higher is better",60 min,0,ketamine,intervention,0,100,,43.5,,,,,,,,,,"43.5 vs 63.5 mm, no dispersion",https://it.scribd.com/document/406169397/video-12,abstract,A,acute headache
zitek2018,pain_reduction,"mean VAS improvement in mm, higher is better",60 min,0,prochlorperazine,control,0,100,,63.5,,,,,,,,,,"43.5 vs 63.5 mm, no dispersion",https://it.scribd.com/document/406169397/video-12,abstract,A,acute headache
zitek2018,withdrawal,withdrew for adverse effects,during treatment,0,ketamine,intervention,,,,,,,,,,,,2,,"2 vs 1, n per arm not visible",https://it.scribd.com/document/406169397/video-12,abstract,A,acute headache
zitek2018,withdrawal,withdrew for adverse effects,during treatment,0,prochlorperazine,control,,,,,,,,,,,,1,,"2 vs 1, n per arm not visible",https://it.scribd.com/document/406169397/video-12,abstract,A,acute headache
"""

KETAMINE_CONTRASTS = """\
study_id,outcome,timepoint,timepoint_days,measure,scale_min,scale_max,estimate,se,ci_lower,ci_upper,p_value,p_operator,direction,n_intervention,n_control,paired,evidence,source_url,location,extracted_by,note
amr2010,pain_intensity,"during infusion, days 1-7",7,p_only,,,,,,,0.0001,<,favours_intervention,20,20,no,"lower with ketamine at all measurements, P < 0.0001",https://suppr.wilddata.cn/browses/detail/pubmed/20495588,abstract,A+B,day count from the start of the 7-day infusion
amr2010,pain_intensity,2 weeks after infusion,21,p_only,,,,,,,0.0001,<,favours_intervention,20,20,no,"lower with ketamine, P < 0.0001",https://suppr.wilddata.cn/browses/detail/pubmed/20495588,abstract,A+B,day count from the start of the 7-day infusion; B coded 14 (from the end)
amr2010,pain_intensity,3 weeks after infusion,28,p_only,,,,,,,0.54,=,none,20,20,no,"no difference, P = 0.54",https://suppr.wilddata.cn/browses/detail/pubmed/20495588,abstract,A,day count from the start of the 7-day infusion; direction not reported; same p as amr2011 day 45
amr2010,pain_intensity,4 weeks after infusion,35,p_only,,,,,,,0.25,=,none,20,20,no,"no difference, P = 0.25",https://suppr.wilddata.cn/browses/detail/pubmed/20495588,abstract,A,day count from the start of the 7-day infusion; direction not reported; same p as amr2011 day 60
bouwense2011,pressure_pain_threshold,end of 3-h infusion,0,p_only,,,,,,,0.005,=,favours_intervention,9,9,yes,"218 vs -123, P = 0.005",https://suppr.wilddata.cn/browses/detail/pubmed/21490522,abstract,A,
bouwense2011,pain_intensity,end of infusion and 1 h after,0,p_only,,,,,,,,,none,9,9,yes,"VAS: no significant change, p not given",https://suppr.wilddata.cn/browses/detail/pubmed/21490522,abstract,A,
hardy2012,responder,end of 3-5 day treatment,5,RD,,,0.04,,-0.10,0.18,0.55,=,favours_intervention,93,92,no,"difference 0.04 (-0.10 to 0.18), P = .55; NNT 25 (6 to infinity)",http://www.pubmed.gov/22965960/,abstract,A+B,
hardy2012,any_adverse_event,after day 1 and throughout,5,IRR,,,1.95,,1.46,2.61,0.001,<,favours_control,93,92,no,"incidence rate ratio 1.95 (1.46 to 2.61), P < .001",http://www.pubmed.gov/22965960/,abstract,A+B,"rate ratio of events worse than baseline, not a risk ratio"
hardy2012,adverse_event_grade,per day,5,OR,,,1.09,,1.00,1.18,0.039,=,favours_control,93,92,no,"odds ratio 1.09 (1.00 to 1.18), P = .039",http://www.pubmed.gov/22965960/,abstract,A+B,more severe grade per day
hardy2012,withdrawal,treatment period,5,p_only,,,,,,,,,favours_control,93,92,no,"NNH 6 (4 to 13), toxicity-related withdrawal; no counts, no p",http://www.pubmed.gov/22965960/,abstract,A+B,only the NNH is reported
pickering2020,pain_intensity,35 days after infusion,35,SMD_paired,0,350,-0.2,,-0.6,0.3,0.425,=,favours_intervention,20,20,yes,"effect size -0.2 (-0.6 to 0.3), P = 0.425, ketamine vs placebo",https://pubs.asahq.org/anesthesiology/article/133/1/154/109123/Ketamine-and-Magnesium-for-Refractory-Neuropathic,abstract,A+B,within-person effect size (t over root n): to compare with a parallel-group SMD multiply by sqrt(2(1-r)); AUC over 35 days
pickering2020,pain_intensity_combination,35 days after infusion,35,SMD_paired,,,0.2,,-0.3,0.6,0.445,=,none,20,20,yes,"effect size 0.2 (-0.3 to 0.6), P = 0.445, placebo vs ketamine/magnesium",https://pubs.asahq.org/anesthesiology/article/133/1/154/109123/Ketamine-and-Magnesium-for-Refractory-Neuropathic,abstract,A+B,sign as printed; disagrees with the means
pickering2020,pain_intensity_ketamine_vs_combination,35 days after infusion,35,SMD_paired,,,-0.4,,-0.8,0.1,0.119,=,favours_intervention,20,20,yes,"effect size -0.4 (-0.8 to 0.1), P = 0.119, ketamine vs ketamine/magnesium",https://pubs.asahq.org/anesthesiology/article/133/1/154/109123/Ketamine-and-Magnesium-for-Refractory-Neuropathic,abstract,A+B,not a placebo comparison
pickering2020,pain_intensity_three_arms,35 days after infusion,35,p_only,,,,,,,0.296,=,none,20,20,yes,"three-arm test, P = 0.296",https://pubs.asahq.org/anesthesiology/article/133/1/154/109123/Ketamine-and-Magnesium-for-Refractory-Neuropathic,abstract,A+B,overall test
sigtermans2009,pain_intensity,"weeks 1-12, repeated measures",,p_only,0,10,,,,,0.001,<,favours_intervention,30,30,no,"lower with ketamine over 12 weeks, P < 0.001",https://journals.lww.com/pain/pages/articleviewer.aspx?year=2009&issue=10000&article=00010&type=abstract,abstract,A+B,"whole period, not a time point"
sigtermans2009,pain_intensity,week 12,84,p_only,0,10,,,,,0.07,=,favours_intervention,30,30,no,"significance lost at week 12, P = 0.07",https://journals.lww.com/pain/pages/articleviewer.aspx?year=2009&issue=10000&article=00010&type=abstract,abstract,A+B,direction implied by 'lost'
sigtermans2009,psychotomimetic,during infusion (4.2 days),0,p_only,,,,,,,0.001,<,favours_control,30,30,no,"76% vs 18%, P < 0.001",https://journals.lww.com/pain/pages/articleviewer.aspx?year=2009&issue=10000&article=00010&type=abstract,abstract,A+B,
benish2019,pain_reduction,30 min,0,MD,0,100,6.8,,-5.8,19.4,,,favours_intervention,27,26,no,6.8 mm (-5.8 to 19.4),https://www.unboundmedicine.com/medline/citation/30910061/The_THINK__Treatment_of_Headache_with_Intranasal_Ketamine__Trial:_A_Randomized_Controlled_Trial_Comparing_Intranasal_Ketamine_with_Intravenous_Metoclopramide_,abstract,A,not eligible
zitek2018,pain_reduction,60 min,0,MD,0,100,-20.0,,-37.2,-2.8,0.026,=,favours_control,,,no,"prochlorperazine minus ketamine 20.0 mm (2.8 to 37.2), P = .026",https://it.scribd.com/document/406169397/video-12,abstract,A,not eligible; signs turned to ketamine minus control
"""

KETAMINE_PUBLISHED = """\
review_id,label,year,doi,pmid,outcome,timepoint,timepoint_days,subgroup,measure,estimate,ci_lower,ci_upper,p_reported,i2,k,n_total,model,grade,certainty_note,evidence,source_url,note
michelet2018,Michelet 2018,2018,10.1002/ejp.1153,29178663,pain_intensity,1 week,7,,MD,-1.42,-2.40,-0.44,<.001,,,,random effects (presumed),,,"MD -1.42 (-2.40 to -0.44), 0-10; p <.001",https://www.clinicalpainadvisor.com/chronic-pain/ketamine-may-represent-an-effective-treatment-for-the-management-of-chronic-noncancer-pain/,"printed p is that of heterogeneity, not of the effect; times count from the start of treatment; model not stated in the excerpts seen"
michelet2018,Michelet 2018,2018,10.1002/ejp.1153,29178663,pain_intensity,2 weeks,14,,MD,-1.66,-2.96,-0.36,<.001,,,,random effects (presumed),,,"MD -1.66 (-2.96 to -0.36), 0-10; p <.001",https://www.clinicalpainadvisor.com/chronic-pain/ketamine-may-represent-an-effective-treatment-for-the-management-of-chronic-noncancer-pain/,"printed p is that of heterogeneity, not of the effect; times count from the start of treatment; model not stated in the excerpts seen"
michelet2018,Michelet 2018,2018,10.1002/ejp.1153,29178663,pain_intensity,4 weeks (primary),28,,MD,-1.12,-2.33,0.09,<.001,,4,,random effects (presumed),very low,,"MD -1.12 (-2.33 to 0.09), 0-10; p <.001",https://www.clinicalpainadvisor.com/chronic-pain/ketamine-may-represent-an-effective-treatment-for-the-management-of-chronic-noncancer-pain/,"printed p is that of heterogeneity, not of the effect; times count from the start of treatment; model not stated in the excerpts seen; the CI includes 0, so p <.001 cannot be that of the effect; the abstract repeats the estimate and CI"
zhao2018,Zhao 2018,2018,10.1007/s11916-018-0664-x,29404715,responder,1-3 months,,"CRPS, single arm",proportion,0.58,0.41,0.75,,,,,,,,58% (41% to 75%),https://pubmed.ncbi.nlm.nih.gov/29404715/,single-arm proportion: no comparator
zhao2018,Zhao 2018,2018,10.1007/s11916-018-0664-x,29404715,pain_intensity,after vs before,,"CRPS, single arm",mean_change,,,,<0.000001,,15,258,,,,"change not visible, p < 0.000001",https://pubmed.ncbi.nlm.nih.gov/29404715/,no comparator
"""

SPINAL_ARMS = """\
comparison_id,label,role,arm,outcome,timepoint,timepoint_days,scale_min,scale_max,n,mean,sd
bronfort2011_01,Bronfort 2011,intervention,spinal manipulation,pain_intensity,1 month,30,0,100,50,39,18
bronfort2011_01,Bronfort 2011,control,recommended therapy,pain_intensity,1 month,30,0,100,95,37,18
bronfort2011_02,Bronfort 2011,intervention,spinal manipulation,pain_intensity,1 month,30,0,100,50,39,18
bronfort2011_02,Bronfort 2011,control,recommended therapy,pain_intensity,1 month,30,0,100,96,36,20
bronfort1996_03,Bronfort 1996,intervention,spinal manipulation,pain_intensity,1 month,30,0,100,62,34,19
bronfort1996_03,Bronfort 1996,control,recommended therapy,pain_intensity,1 month,30,0,100,43,36,22
"""

FIBROMYALGIA_CONTRASTS = """\
study_id,label,outcome,measure,estimate,se
s01,Trial 01,pain_intensity,SMD,-1.07,0.3367409
s02,Trial 02,pain_intensity,SMD,0.18,0.3112302
s03,Trial 03,pain_intensity,SMD,-0.88,0.3469452
s04,Trial 04,pain_intensity,SMD,0,0.4234772
s05,Trial 05,pain_intensity,SMD,-0.19,0.2193918
"""

NSAID_ARMS = """\
study_id,label,role,arm,outcome,timepoint,timepoint_days,n,events
s01,Trial 01,intervention,topical NSAID,responder,1 week,7,30,23
s01,Trial 01,control,placebo,responder,1 week,7,30,10
s02,Trial 02,intervention,topical NSAID,responder,1 week,7,123,69
s02,Trial 02,control,placebo,responder,1 week,7,116,54
"""

BCG_STUDIES = """\
study_id,label,year,absolute_latitude,allocation
s01,Aronson 1948,1948,44,random
s02,Ferguson & Simes 1949,1949,55,random
s03,Rosenthal et al 1960,1960,42,random
"""

BCG_ARMS = """\
study_id,label,role,arm,outcome,timepoint,timepoint_days,n,events
s01,Aronson 1948,intervention,BCG,tuberculosis,end of follow-up,,123,4
s01,Aronson 1948,control,no vaccine,tuberculosis,end of follow-up,,139,11
s02,Ferguson & Simes 1949,intervention,BCG,tuberculosis,end of follow-up,,306,6
s02,Ferguson & Simes 1949,control,no vaccine,tuberculosis,end of follow-up,,303,29
s03,Rosenthal et al 1960,intervention,BCG,tuberculosis,end of follow-up,,231,3
s03,Rosenthal et al 1960,control,no vaccine,tuberculosis,end of follow-up,,220,11
"""


KETAMINE = {
    "studies.csv": KETAMINE_STUDIES,
    "arms.csv": KETAMINE_ARMS,
    "contrasts.csv": KETAMINE_CONTRASTS,
    "published.csv": KETAMINE_PUBLISHED,
}
KETAMINE_RULES = TableRules(
    categories={"pain_type": ("neuropathic", "crps", "cancer", "spinal_cord_injury", "headache", "other")},
    outcomes_known=("pain_intensity", "responder", "psychotomimetic", "any_adverse_event", "withdrawal"),
    subgroup_columns=("pain_type", "pain_mechanism", "route", "dosing", "design"),
)
ONE_SOURCE = TableRules(table_source={"arms.csv": "the review", "contrasts.csv": "the review"})


@pytest.mark.parametrize(
    "files, rules, shape",
    [
        (KETAMINE, KETAMINE_RULES, (7, 27, 19)),
        ({"arms.csv": SPINAL_ARMS}, ONE_SOURCE, (3, 6, 0)),
        ({"contrasts.csv": FIBROMYALGIA_CONTRASTS}, ONE_SOURCE, (5, 0, 5)),
        ({"arms.csv": NSAID_ARMS}, ONE_SOURCE, (2, 4, 0)),
        ({"studies.csv": BCG_STUDIES, "arms.csv": BCG_ARMS}, ONE_SOURCE, (3, 6, 0)),
    ],
    ids=["ketamine", "spinal", "fibromyalgia", "nsaid", "bcg"],
)
def test_real_tables_have_no_problems(files, rules, shape):
    tables, problems = check_review({name: text.encode() for name, text in files.items()}, rules)
    assert problems == []
    assert (len(tables.studies), len(tables.arms), len(tables.contrasts)) == shape


def test_a_changed_number_of_the_ketamine_arms_is_found():
    changed = KETAMINE_ARMS.replace("30,2.68,,0.51", "30,26.8,,-0.51")
    files = {name: text.encode() for name, text in (KETAMINE | {"arms.csv": changed}).items()}
    problems = check_review(files, KETAMINE_RULES)[1]
    assert [(p.column, p.value, p.message) for p in problems] == [
        ("se", "-0.51", "is negative"),
        ("mean", "26.8", "is outside the scale (0 to 10)"),
    ]
