"""What a source says of its model, and since when each method is known to us."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from reweigh.measures import COUNT_MEASURES
from reweigh.text.codes import code, join, parse

Fit = Literal["named", "open", "other"]
"""Whether a source names a method, leaves it open, or names another one."""

SINCE: Mapping[tuple[str, str], tuple[int, str]] = {
    ("tau2", "DL"): (1986, "DerSimonian and Laird 1986"),
    ("tau2", "ML"): (1996, "Hardy and Thompson 1996"),
    ("tau2", "REML"): (1999, "Normand 1999"),
    ("tau2", "SJ"): (2005, "Sidik and Jonkman 2005"),
    ("tau2", "PM"): (2007, "DerSimonian and Kacker 2007"),
    ("interval", "hartung-knapp"): (2003, "Knapp and Hartung 2003"),
    ("zero_cells", "tacc"): (2004, "Sweeting 2004"),
}
"""Year and paper of the earliest source of a method that this package cites or its gallery holds.

A method may be older than that; the sentences say "our earliest source", and nothing else is made of it."""

_HIDDEN = re.compile(r"\bnot (visible|stated|reported|given|named|seen|clear)|unclear|unstated|unknown|presum|assumed")
_KNAPP = re.compile(r"hartung|\bhksj\b|knapp|\bhk\b")
_HKSJ = re.compile(r"hartung\W*knapp(\W*sidik(\W*jonkman)?)?|hksj|knapp\W*hartung")
_ESTIMATORS = (
    ("REML", r"\breml\b|restricted maximum"),
    ("ML", r"\bml\b|(?<!restricted )maximum[- ]likelihood"),
    ("DL", r"\bdl\b|\bd[+&]l\b|dersimonian"),
    ("PM", r"\bpm\b|paule|mandel"),
    ("HE", r"\bhe\b|hedges[- ]olkin|cochran anova"),
    ("HS", r"\bhs\b|hunter"),
    ("SJ", r"\bsj\b|sidik"),
)
_BAYES = re.compile(r"\beb\b|empirical[- ]bayes")
"""Empirical Bayes, whose tau2 is Paule-Mandel's, by another and older name."""
_FIXED = re.compile(r"\b(fixed|common|equal)[- ]effects?\b|\bfixed\b|\bee\b|\bfe\b")
_MH, _PETO = re.compile(r"mantel|\bm-?h\b"), re.compile(r"\bpeto\b")
_IV = re.compile(r"inverse[- ]variance|\biv\b")
_T = re.compile(r"\bt[- ](interval|distribution|based|test|quantile)")
_POOLED = re.compile(r"pooled (sd|standard deviation|variance)|equal variances")


@dataclass(frozen=True, slots=True)
class Stated:
    """What the column `model` of a published row says; empty where it says nothing of it.

    `tau2`: "EE" or an estimator, or "random" where only random effects are named. `formula`: how effects are computed,
    as code names and parameters. `codes`: what must be said of it (reweigh.text.reproduction).
    """

    tau2: str = ""
    interval: str = ""
    pooling: str = ""
    revman: bool = False
    formula: tuple[tuple[str, str], ...] = ()
    of: str = ""
    codes: str = ""

    @property
    def names_a_model(self) -> bool:
        """Whether it names anything that a method could contradict."""
        return bool(self.tau2 or self.pooling or self.of)

    def fit(self, pooling: str, tau2: str, interval: str, of: str) -> Fit:
        """How a method stands to what is named.

        Named without an estimator, random effects are DerSimonian-Laird's, and a named estimator without an interval
        has Wald's: what reviews mean that say no more. By Mantel-Haenszel pools a source that names it or RevMan, and
        a fixed effect of counts may. An estimator without Mantel-Haenszel is the inverse-variance method of its paper.
        """
        if not self.names_a_model:
            return "open"
        if self.of:
            return "named" if of == self.of else "other"
        level: list[Fit] = [self._tau2(tau2), self._interval(interval), self._pooling(pooling, of)]
        return "other" if "other" in level else "open" if "open" in level else "named"

    def against(self, pooling: str, tau2: str, interval: str, of: str, formula: str) -> list[str]:
        """Codes of what the source names that a method is not."""
        if self.of:
            return ["other_estimator"] if of != self.of else []
        found = []
        if self.names_a_model:
            found += ["other_estimator"] if self._tau2(tau2) == "other" else []
            found += ["other_interval"] if self._interval(interval) == "other" else []
            found += ["other_pooling"] if self._pooling(pooling, of) == "other" else []
        return found + (["other_formula"] if formula and self.formula_fit(formula) == "other" else [])

    def _tau2(self, tau2: str) -> Fit:
        if self.tau2 == "random":
            return "other" if tau2 in ("EE", "") else "named" if tau2 == "DL" else "open"
        if not self.tau2:  # only a pooling is named
            return "named" if tau2 == "EE" else "open"
        return "named" if tau2 == self.tau2 else "other"

    def _interval(self, interval: str) -> Fit:
        if self.interval:
            return "named" if interval.startswith(self.interval) else "other"
        return "named" if interval == "wald" else "open"

    def _pooling(self, pooling: str, of: str) -> Fit:
        way = pooling.removesuffix(" corrected")
        counted = of in COUNT_MEASURES
        if self.pooling:
            return "named" if way == self.pooling else "other"
        if self.revman and counted:
            return "named" if way == "mantel-haenszel" and pooling != way else "open"
        if way == "inverse variance" or of == "PETO":
            return "named"
        if self.tau2 == "EE":
            return "named" if way == "mantel-haenszel" else "open"
        return "open" if self.tau2 == "random" else "other"

    def formula_fit(self, formula: str) -> Fit:
        """How a way to compute effects, as a code, stands to what is named."""
        given = {key: value for one in parse(formula) for key, value in one.parameters.items()}
        about = [(key, value) for key, value in self.formula if key in given]
        if not about:
            return "open"
        return "named" if all(given[key] == value for key, value in about) else "other"


def stated(row: Mapping[str, str]) -> Stated:
    """What a row of published.csv says of its model.

    A method of which our earliest source is younger than the print is not what the source states: that is said, and the
    model is taken as not named.
    """
    words = row.get("model", "").casefold()
    if not words.strip() or _HIDDEN.search(words):
        return Stated(codes=code("model_unstated"))
    interval = "hartung-knapp" if _KNAPP.search(words) else "t" if _T.search(words) else ""
    interval = interval or ("wald" if re.search(r"\bwald\b|\bnormal (interval|distribution)", words) else "")
    rest = _HKSJ.sub(" ", words)
    estimator = next((name for name, pattern in _ESTIMATORS if re.search(pattern, rest)), "")
    bayes = not estimator and bool(_BAYES.search(rest))
    estimator = "PM" if bayes else estimator
    fixed, random = bool(_FIXED.search(words)), "random" in words
    tau2 = estimator or ("EE" if fixed and not random else "random" if random and not fixed else "")
    pooling = "mantel-haenszel" if _MH.search(words) else "peto" if _PETO.search(words) else ""
    pooling = pooling or ("inverse variance" if _IV.search(words) else "")
    revman = "revman" in words or "review manager" in words
    formula = (("md_variance", "pooled"),) if _POOLED.search(words) else ()
    if revman and not formula:
        formula = (("smd_variance", "RevMan"),)
    of = "RD" if "risk difference" in words and not (tau2 or pooling) else ""
    named = Stated(tau2, interval, pooling, revman, formula, of)
    impossible = [
        code("model_impossible", what=what, year=year, paper=paper)
        for what, year, paper in too_early(row, "" if bayes else tau2, interval)
    ]
    if impossible or not named.names_a_model:
        return Stated(codes=join([*impossible, code("model_unstated") if not impossible else ""]))
    return named


def print_year(row: Mapping[str, str]) -> int | None:
    """Year of the print: the latest that its source names, else that of the review; None where there is none.

    A review may be printed again, and its figures first elsewhere: the source is where these digits stand.
    """
    found = [int(year) for year in re.findall(r"(?<![\d:.-])(?:19|20)\d\d(?![\d-])", row.get("source", ""))]
    if found:
        return max(found)
    year = row.get("year", "").strip()
    return int(year[:4]) if re.match(r"(19|20)\d\d", year) else None


def too_early(row: Mapping[str, str], tau2: str, interval: str, formula: str = "") -> list[tuple[str, int, str]]:
    """What of a method is younger than the print: its name, the year of the print, our earliest source."""
    year = print_year(row)
    if year is None:
        return []
    given = {("tau2", tau2), ("interval", interval)}
    given |= {(key, value) for one in parse(formula) for key, value in one.parameters.items()}
    names = {"hartung-knapp": "Hartung-Knapp", "tacc": "the treatment-arm correction"}
    early = [key for key in sorted(given & set(SINCE)) if SINCE[key][0] > year]
    return [(names.get(key[1], key[1]), year, SINCE[key][1]) for key in early]
