"""The counts of a PRISMA 2020 flow diagram (Page 2021, BMJ 372:n71), by the names of the flow-diagram tool.

Haddaway 2022, doi 10.1002/cl2.1230: the column `data` of its CSV file names a count, and so does `box` of flow.csv.
"""

from __future__ import annotations

from collections.abc import Mapping

BOXES: Mapping[str, str] = {
    "previous_studies": "Studies included in previous version of review",
    "previous_reports": "Reports of studies included in previous version of review",
    "database_results": "Records identified from databases",
    "database_specific_results": "Records identified from specific databases",
    "register_results": "Records identified from registers",
    "register_specific_results": "Records identified from specific registers",
    "website_results": "Records identified from websites",
    "organisation_results": "Records identified from organisations",
    "citations_results": "Records identified from citation searching",
    "duplicates": "Duplicate records removed",
    "excluded_automatic": "Records marked as ineligible by automation tools",
    "excluded_other": "Records removed for other reasons",
    "records_screened": "Records screened",
    "records_excluded": "Records excluded",
    "dbr_sought_reports": "Reports sought for retrieval",
    "dbr_notretrieved_reports": "Reports not retrieved",
    "other_sought_reports": "Reports sought for retrieval (other methods)",
    "other_notretrieved_reports": "Reports not retrieved (other methods)",
    "dbr_assessed": "Reports assessed for eligibility",
    "dbr_excluded": "Reports excluded",
    "other_assessed": "Reports assessed for eligibility (other methods)",
    "other_excluded": "Reports excluded (other methods)",
    "new_studies": "New studies included in review",
    "new_reports": "Reports of new included studies",
    "total_studies": "Total studies included in review",
    "total_reports": "Reports of total included studies",
    "total_studies_ma": "Total studies included in meta-analysis",
    "total_reports_ma": "Reports of total included studies in meta-analysis",
}
"""Name of a count, and what it counts."""

NAME, TITLE = "prisma_2020", "PRISMA 2020 flow diagram"
"""Name of the diagram's file, and its title."""
STAGES = ("Identification", "Screening", "Included")
IDENTIFIED, REMOVED = "Records identified from:", "Records removed before screening:"
OTHER, NOT_RECORDED = " (other methods)", "not recorded"
HEADS: Mapping[str, str] = {
    "previous_studies": "Previous studies",
    "database_results": "Identification of new studies via databases and registers",
    "website_results": "Identification of new studies via other methods",
}
"""Heads of the diagram's columns, by the first count in each."""
