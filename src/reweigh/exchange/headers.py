"""Which column of a foreign table holds what, by the names that programmes and people give."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from reweigh.measures import MEASURES, MEASURES_OF_TYPE, SINGLE_GROUP_MEASURES

#: Our field to the names that a column of one arm has, without its side (lower case, no signs between words).
_STEMS: Mapping[str, tuple[str, ...]] = {
    "n": (
        *("n", "ntotal", "total", "totals", "size", "ss", "samplesize", "number", "num", "patients", "participants"),
        *("subjects", "randomised", "randomized", "nrandomised", "nrandomized", "ni", "npatients", "groupsize"),
        *("nanalysed", "nanalyzed", "analysed", "analyzed", "anzahl", "nobs", "denominator", "noofpatients", "pop"),
    ),
    "events": (
        *("events", "event", "ev", "evt", "cases", "case", "r", "x", "d", "e", "responders", "deaths", "death", "dead"),
        *("nevents", "eventsn", "pos", "numberofevents", "noofevents", "count", "numerator", "died", "ereignisse"),
        *("withevent", "successes", "failures", "eventcount", "nevent", "xi"),
    ),
    "nonevents": (
        *("nonevents", "nonevent", "noevent", "noevents", "neg", "nodeath", "nodeaths", "alive", "survivors"),
        *("withoutevent", "nonresponders", "survived", "noncases", "noncase"),
    ),
    "mean": ("mean", "m", "avg", "average", "mittelwert", "mw", "means", "meanvalue", "moyenne", "media", "ave", "mi"),
    "sd": (
        *("sd", "s", "std", "stddev", "stdev", "standarddeviation", "stddeviation", "standardabweichung", "stdabw"),
        *("sds", "ds", "dp", "ecarttype", "sdi"),
    ),
    "se": ("se", "sem", "standarderror", "stderr", "standardfehler"),
    "percent": ("percent", "percentage", "pct", "perc", "%", "prozent"),
    "median": ("median", "med", "mdn"),
    "q1": ("q1", "p25", "lowerquartile", "firstquartile", "iqr", "quartiles"),
    "q3": ("q3", "p75", "upperquartile", "thirdquartile"),
    "min": ("min", "minimum", "range"),
    "max": ("max", "maximum"),
    "person_time": ("persontime", "personyears", "patientyears", "py", "pyears", "pyr", "time", "exposure", "ti"),
    "ci_lower": ("95%ci", "ci95", "95ci", "ci", "cilower", "lowerci", "lcl", "cilb"),
    "ci_upper": ("ciupper", "upperci", "ucl", "ciub"),
    "baseline_mean": ("baselinemean", "meanbaseline", "baseline", "meanpre", "premean", "blmean"),
    "baseline_sd": ("baselinesd", "sdbaseline", "sdpre", "presd", "blsd"),
    "change_mean": ("changemean", "meanchange", "mchange", "meandiff"),
    "change_sd": ("changesd", "sdchange", "sddiff"),
    "correlation": ("ri", "cor", "corr", "correlation", "pearsonr"),
}  # fmt: skip
_FIELD_OF = {stem: name for name, stems in _STEMS.items() for stem in stems}


def _set(text: str) -> frozenset[str]:
    """The words of a text."""
    return frozenset(text.split())


_INTERVENTION = _set(
    "e exp experimental experiment t tx trt treat treated treatment int interv intervention i active act "
    "drug verum new vaccine vaccinated vacc exposed expo 1 a g1 group1 arm1 treatmentgroup "
    "interventiongroup experimentalgroup test"
)
_CONTROL = _set(
    "c con cont contr control controls ctl ctrl ctr comp comparator comparison plac placebo pbo pla p plc "
    "standard std sham usual uc tau wl wlc waitlist ref reference unexposed unvaccinated untreated "
    "notreatment kontrolle 2 0 b g2 group2 arm2 controlgroup old cg"
)

#: Programmes whose names follow no pattern: all of them must be there.
_FAMILIES: tuple[Mapping[str, tuple[str, str]], ...] = (
    {"ai": ("1", "events"), "bi": ("1", "nonevents"), "ci": ("2", "events"), "di": ("2", "nonevents")},
    {"ai": ("1", "events"), "n1i": ("1", "n"), "ci": ("2", "events"), "n2i": ("2", "n")},
    {"x1i": ("1", "events"), "t1i": ("1", "person_time"), "x2i": ("2", "events"), "t2i": ("2", "person_time")},
    {
        "m1i": ("1", "mean"), "sd1i": ("1", "sd"), "n1i": ("1", "n"), "m2i": ("2", "mean"), "sd2i": ("2", "sd"),
        "n2i": ("2", "n"),
    },
    {"a": ("1", "events"), "b": ("1", "nonevents"), "c": ("2", "events"), "d": ("2", "nonevents")},
)  # fmt: skip

#: Names of an estimate: which measure it is ("" where the name does not say), and whether it is a logarithm.
_ESTIMATES: Mapping[str, tuple[str, bool | None]] = {
    **dict.fromkeys(
        ("yi", "te", "es", "effect", "effectsize", "estimate", "est", "theta", "thetai", "metaes", "givmean", "y",
         "treatmenteffect", "pointestimate", "beta", "givestimate"), ("", None)
    ),
    **dict.fromkeys(("or", "oddsratio", "adjustedor", "aor"), ("OR", False)),
    **dict.fromkeys(("logor", "lnor", "logoddsratio", "lnoddsratio"), ("OR", True)),
    **dict.fromkeys(("rr", "riskratio", "relativerisk", "adjustedrr"), ("RR", False)),
    **dict.fromkeys(("logrr", "lnrr", "logriskratio", "logrelativerisk"), ("RR", True)),
    **dict.fromkeys(("hr", "hazardratio", "adjustedhr", "ahr"), ("HR", False)),
    **dict.fromkeys(("loghr", "lnhr", "loghazardratio", "lnhazardratio"), ("HR", True)),
    **dict.fromkeys(("irr", "rateratio"), ("IRR", False)),
    **dict.fromkeys(("logirr", "lnirr"), ("IRR", True)),
    **dict.fromkeys(("md", "wmd", "meandifference", "meandiff"), ("MD", False)),
    **dict.fromkeys(
        ("smd", "hedgesg", "g", "stdmeandifference", "standardisedmeandifference", "cohend", "cohensd"), ("SMD", False)
    ),
    **dict.fromkeys(("rd", "riskdifference"), ("RD", False)),
}  # fmt: skip
_SE = _set(
    "sei sete se seyi seies selogirr selnirr selogor selogrr selnor selnrr selnhr seloghr stderr standarderror metase "
    "sees sesmd semd serd segiv givse seg sed seestimate seeffect se_ sebeta"
)
_VARIANCE = _set("vi v var variance vari varyi vte varte sampling_variance samplingvariance vd vg")
_LOWER = _set(
    "lb cilb lower cilower lowerci lci ll lcl low cilow lowci lo metacil lowerlimit ci95lower ci95low "
    "lower95 lowerbound cil l95 cistart lowercl cll"
)
_UPPER = _set(
    "ub ciub upper ciupper upperci uci ul ucl up ciup high cihigh hi metaciu upperlimit ci95upper "
    "ci95high upper95 upperbound ciu u95 ciend uppercl clu"
)
#: Observed minus expected events of a logrank test; their variance is a variance.
_OBSERVED = _set("oe ome ominuse oei logrankoe")
_INTERVAL = _set("ci ci95 95ci 95%ci ki95 confidenceinterval")

#: Columns that name what a row is about.
_IDENTITY: Mapping[str, tuple[str, ...]] = {
    "study": (
        *("study", "studlab", "slab", "studyid", "studyname", "studylabel", "trial", "trialname", "trialid", "name"),
        *("metastudylabel", "studie", "estudio", "etude", "label", "shorttitle", "id", "reference", "citation"),
    ),
    "author": ("author", "authors", "authoryear", "authorsyear", "firstauthor", "authorname", "autor", "source"),
    "year": ("year", "pubyear", "publicationyear", "studyyear", "jahr", "yr", "yearofpublication", "annee", "pyear"),
    "outcome": ("outcome", "outcomename", "endpoint", "outcomeid", "endpunkt", "outcomelabel"),
    "timepoint": ("timepoint", "timepointlabel"),
    "timepoint_days": ("timepointdays",),
    "comparison": ("comparison", "comparisonid"),
    "arm": (
        *("t", "treat", "treatment", "trt", "arm", "armname", "armlabel", "group", "groupname", "intervention", "drug"),
        *("treatmentname", "studyarm", "drugname", "treatmentgroup", "studygroup", "gruppe", "armid", "agent"),
    ),
    "role": ("role", "armrole", "armtype"),
    "reference_arm": ("referencearm", "comparatorarm"),
    "measure": ("effectmeasure", "measure"),
    "design": ("design", "studydesign"),
}  # fmt: skip
_IDENTITY_OF = {name: key for key, names in _IDENTITY.items() for name in names}

_COMPOSITE = (
    (r"\bse\s*[(\[]\s*(log|ln)[\s(]*(or|rr|hr|irr)\s*[)\]]+", r"se \1 \2"),
    (r"\bse\s*[(\[]\s*(yi|te|es|smd|md|g)\s*[)\]]", r"se \1"),
    (r"\b(log|ln)\s*[(\[]\s*(or|rr|hr|irr)\s*[)\]]", r"\1 \2"),
    (r"\bmean\s*(?:\(|\[|±|\+/-|,|/)\s*(?:sd|se|sem|std\.? ?dev\w*)\s*[)\]]?", "mean"),
    (r"\bmedian\s*[(\[,/]\s*(?:iqr|q1|range|min)[^)\]]*[)\]]?", "median"),
    (r"\b(?:no\.? of )?(?:events?|cases|n|r|x)\s*(?:/|of|out of)\s*(?:n|total|randomi[sz]ed)\b", "events"),
    (r"\b(?:events?|cases|n|no\.?|responders)\s*[(\[]\s*(?:n\s*,\s*)?%\s*[)\]]", "events"),
    (r"\b(?:events?|cases)\s*\((?:n|no\.?)\)", "events"),
    (r"\b(?:total|randomi[sz]ed)\s*\((?:n|no\.?)\)", "n"),
    (
        r"\b(or|rr|hr|irr|md|smd|wmd|rd|es|effect|estimate|odds ratio|risk ratio|hazard ratio|mean difference)"
        r"\s*[(\[,]\s*(?:95\s?%\s*)?ci[^)\]]*[)\]]?",
        r"\1",
    ),
)
#: "n/N", "events/total": cells that have n beside the events.
_OF_N = re.compile(r"\b(?:events?|cases|n|r|x)\s*(?:/|of|out of)\s*(?:n|total|randomi[sz]ed)\b", re.IGNORECASE)
_UNIT = re.compile(r"(?:\s*[(\[]([^()\[\]]{1,25})[)\]]|,\s*([a-zµ%°][\w/%°. ]{0,15}))\s*$", re.IGNORECASE)


def plain(name: str) -> tuple[str, str]:
    """A column name without a unit in brackets at its end, composites as their first part; and the unit."""
    text = " ".join(unicodedata.normalize("NFKC", name).split())
    for pattern, short in _COMPOSITE:
        text = re.sub(pattern, short, text, flags=re.IGNORECASE)
    found = _UNIT.search(text)
    unit = (found[1] or found[2]) if found else ""
    if found and found.start() > 0 and re.sub(r"\W", "", unit).casefold() not in _FIELD_OF:
        return text[: found.start()], unit
    return text, ""


def tokens(name: str) -> list[str]:
    """The words and numbers of a column name in lower case: "seTE" is se, te; "mean.e" is mean, e."""
    text = re.sub(r"(?<=[a-zà-ÿ])(?=[A-ZÀ-Þ])", " ", plain(name)[0])
    return re.findall(r"%|[^\W\d_]+|[0-9]+", text.casefold())


def squeeze(name: str) -> str:
    """A column name as its letters and digits, to compare names."""
    return "".join(tokens(name))


def identity_of(name: str) -> str:
    """What a column names (study, year, arm ...), "" where it names nothing of it."""
    return _IDENTITY_OF.get(squeeze(name), "")


@dataclass(frozen=True, slots=True)
class Layout:
    """Where a table holds its results.

    `kind`: counts, rates or means of two arms in a row; `long`, an arm per row; `contrast`, an estimate per row;
    `single`, a group per row, compared with nothing (its correlation, counts or mean). `places`: (side, field) to the
    column; the side is intervention or control, "" where a row has one. `identity`: study, author, year ... to its
    column. `sides`: how the two sides are called in the names. `measure` and `log`: what the name of an estimate says,
    or of a group. `guessed`: codes of what the names left open.
    """

    kind: str
    places: Mapping[tuple[str, str], int]
    identity: Mapping[str, int]
    sides: tuple[str, str] = ("", "")
    measure: str = ""
    log: bool | None = None
    natural: int | None = None
    guessed: tuple[str, ...] = ()
    unused: tuple[int, ...] = field(default=())


_KINDS: Mapping[str, tuple[tuple[frozenset[str], ...], frozenset[str]]] = {
    "counts": (
        (_set("events n"), _set("events nonevents"), _set("nonevents n"), _set("percent n")),
        _set("events nonevents n percent"),
    ),
    "rates": ((_set("events person_time"),), _set("events person_time n")),
    "means": (
        (_set("mean n"), _set("median n"), _set("change_mean n"), _set("mean sd")),
        _set("n mean sd se ci_lower ci_upper median q1 q3 min max baseline_mean baseline_sd change_mean change_sd"),
    ),
}
"""Kind of table to the fields of which an arm needs one set, and all that it may have."""

_SINGLE: tuple[tuple[str, frozenset[str]], ...] = (
    ("ZCOR", _set("correlation n")), ("PLO", _set("events n")), ("PLO", _set("events nonevents")),
    ("PLO", _set("percent n")), ("MN", _set("mean sd n")), ("MN", _set("mean se n")), ("MN", _set("median n")),
)  # fmt: skip
"""Measures of a single group, and the fields that each needs."""
_SINGLE_NAMES = tuple(map(_set, ("ri ni", "cor n", "xi ni", "event n", "mi sdi ni")))
"""Names by which metafor and R meta call the results of single groups, whatever estimates stand beside them."""

TYPES = {"counts": "binary", "rates": "rate", "means": "continuous"}
"""Kind of table to the type of its outcomes."""


def _splits(name: str, mode: str) -> list[tuple[str, str]]:
    """(side, field) readings of a column name: the side behind the field, before it, or in one word with it."""
    words = tokens(name)
    if len(words) > 1 and words[-1] == "i" and words[-2].isdigit():
        words.pop()
    found = []
    if mode == "glued":
        word = "".join(words)
        for side in sorted(_INTERVENTION | _CONTROL):
            if word.startswith(side) and word[len(side) :] in _FIELD_OF:
                found.append((side, _FIELD_OF[word[len(side) :]]))
            if word.endswith(side) and word[: -len(side)] in _FIELD_OF:
                found.append((side, _FIELD_OF[word[: -len(side)]]))
        return found
    for i in range(1, len(words)):
        stem, rest = (words[:i], words[i:]) if mode == "behind" else (words[i:], words[:i])
        if (of := _FIELD_OF.get("".join(stem))) is not None:
            found.append((" ".join(rest), of))
    return found


def _arms(names: Sequence[str], taken: Iterable[int]) -> dict[str, dict[str, int]]:
    """Sides to their fields and columns, by the reading of the names that gives the most."""
    free = [i for i in range(len(names)) if i not in set(taken)]
    best: dict[str, dict[str, int]] = {}
    for mode in ("behind", "before", "glued"):
        sides: dict[str, dict[str, int]] = {}
        for i in free:
            for side, of in _splits(names[i], mode):
                sides.setdefault(side, {}).setdefault(of, i)
                if of == "events" and _OF_N.search(names[i]):
                    sides[side].setdefault("n", i)
        whole = {side: places for side, places in sides.items() if kinds_of(places)}
        if len(whole) >= 2 and sum(map(len, whole.values())) > sum(map(len, best.values())):
            best = whole
    return best


def kinds_of(places: Iterable[str]) -> list[str]:
    """Kinds of table that the fields of an arm make."""
    have = set(places)
    return [kind for kind, (needs, _) in _KINDS.items() if any(need <= have for need in needs)]


def side_of(word: str) -> str:
    """Which side a word names, "" where it names none."""
    for known, side in ((_CONTROL, "control"), (_INTERVENTION, "intervention")):
        if "".join(word.split()) in known or (len(word) > 3 and set(word.split()) & {k for k in known if len(k) > 3}):
            return side
    return ""


def is_control(label: str) -> bool:
    """Whether an arm's label names a control: placebo, sham, waiting list, usual care, no treatment."""
    words = (
        r"placebo|\bpla?c?\b|\bpbo\b|sham|control|ctrl|wait|usual|standard care|no (?:treatment|intervention)|vehicle"
    )
    return bool(re.search(words, label, re.IGNORECASE))


def identities(names: Sequence[str]) -> dict[str, int]:
    """Study, author, year, outcome, arm ... to the column that names it."""
    squeezed = [squeeze(name) for name in names]
    spots = {key: [squeezed.index(one) for one in known if one in squeezed] for key, known in _IDENTITY.items()}
    return {key: found[0] for key, found in spots.items() if found}


def recognise(names: Sequence[str], types: Sequence[str] = ()) -> Layout | None:
    """The layout of a table by its column names, in upper or lower case; None where they say nothing.

    `types`: types of outcome that the measure asked for allows; none: all. Results of two arms go before a long table,
    that before an estimate, since what was reported says more than what was computed from it.
    """
    squeezed = [squeeze(name) for name in names]
    identity = identities(names)
    if types and all(MEASURES_OF_TYPE[one][0] in SINGLE_GROUP_MEASURES for one in types):
        return _single(squeezed, identity, types) or _contrast(names, squeezed, identity)
    wanted = [kind for kind in _KINDS if not types or TYPES[kind] in types]
    for family in _FAMILIES:
        kinds = kinds_of(of for side, of in family.values() if side == "1")
        letters = max(map(len, family)) == 1
        if all(one in squeezed for one in family) and kinds[0] in wanted and not (letters and len(names) > 12):
            both = {
                ("intervention" if side == "1" else "control", of): squeezed.index(name)
                for name, (side, of) in family.items()
            }
            return _layout(kinds[0], both, identity, squeezed)
    fixed = {i for key, i in identity.items() if key in ("study", "author", "year", "outcome", "timepoint")}
    sides = _arms(names, fixed)
    for kind in wanted:
        having = {side: places for side, places in sides.items() if kind in kinds_of(places)}
        if len(having) == 2:
            return _two(kind, having, identity, squeezed)
        roles = {side: side_of(side) for side in having}
        picked = [next((s for s in having if roles[s] == role), "") for role in ("intervention", "control")]
        if len(having) > 2 and all(picked):
            return _two(kind, {s: having[s] for s in picked}, identity, squeezed)
    alone: dict[str, int] = {}
    for i, one in enumerate(squeezed):
        if (of := _FIELD_OF.get(one)) is not None and i not in fixed and i != identity.get("arm"):
            alone.setdefault(of, i)
    long = [kind for kind in kinds_of(alone) if kind in wanted]
    if long and ("arm" in identity or "role" in identity):
        places = {("", of): i for of, i in alone.items() if any(of in _KINDS[kind][1] for kind in long)}
        return _layout("long", places, identity, squeezed)
    named = any(one <= set(squeezed) for one in _SINGLE_NAMES)
    alone_read = None if types else _single(squeezed, identity, types)
    contrast = _contrast(names, squeezed, identity)
    return alone_read if named and alone_read else contrast or alone_read


def _single(squeezed: Sequence[str], identity: Mapping[str, int], types: Sequence[str]) -> Layout | None:
    """The layout of a table with one group in a row."""
    fixed = {i for key, i in identity.items() if key in ("study", "author", "year", "outcome", "timepoint")}
    found: dict[str, int] = {}
    for i, one in enumerate(squeezed):
        if i not in fixed and (of := _FIELD_OF.get(one)) is not None:
            found.setdefault(of, i)
    for measure, needs in _SINGLE:
        if needs <= set(found) and (not types or MEASURES[measure].type in types):
            kind = {"ZCOR": _set("correlation n"), "PLO": _KINDS["counts"][1], "MN": _KINDS["means"][1]}[measure]
            places = {("", of): i for of, i in found.items() if of in kind}
            free = {key: i for key, i in identity.items() if i not in places.values() and key not in ("arm", "role")}
            return Layout("single", places, free, measure=measure)
    return None


def _two(
    kind: str, having: Mapping[str, Mapping[str, int]], identity: Mapping[str, int], squeezed: list[str]
) -> Layout:
    """The layout of two named sides; the one whose name is a control's, or else the second, is the control."""
    one, two = sorted(having, key=lambda side: min(having[side].values()))
    roles = side_of(one), side_of(two)
    swapped = (roles[0] == "control" and roles[1] != "control") or (roles[1] == "intervention" and not roles[0])
    guessed = () if any(roles) and roles[0] != roles[1] else ("sides",)
    first, second = (two, one) if swapped else (one, two)
    places = {
        (role, of): i
        for role, side in (("intervention", first), ("control", second))
        for of, i in having[side].items()
        if of in _KINDS[kind][1]
    }
    return _layout(kind, places, identity, squeezed, (first, second), guessed)


def _layout(
    kind: str,
    places: Mapping[tuple[str, str], int],
    identity: Mapping[str, int],
    squeezed: list[str],
    sides: tuple[str, str] = ("", ""),
    guessed: tuple[str, ...] = (),
) -> Layout:
    """A layout of arms; estimates that stand beside them are not used."""
    used = set(places.values())
    free = {key: i for key, i in identity.items() if i not in used and (kind == "long" or key not in ("arm", "role"))}
    unused = tuple(
        i for i, one in enumerate(squeezed)
        if i not in used and (one in ("yi", "te") or one in _VARIANCE - {"v"} or one in ("sei", "sete"))
    )  # fmt: skip
    return Layout(kind, places, free, sides, guessed=guessed, unused=unused)


def _contrast(names: Sequence[str], squeezed: list[str], identity: Mapping[str, int]) -> Layout | None:
    """The layout of a table of estimates: one with SE, variance, interval or p."""
    found: dict[str, int] = {}
    estimates = sorted(
        (i for i, one in enumerate(squeezed) if one in _ESTIMATES), key=lambda i: _ESTIMATES[squeezed[i]][1] is False
    )
    for i, one in enumerate(squeezed):
        last = tokens(names[i])[-1:]
        for key, known in (("se", _SE), ("variance", _VARIANCE), ("ci_lower", _LOWER), ("ci_upper", _UPPER)):
            if one in known or (key.startswith("ci") and last and last[0] in known):
                found.setdefault(key, i)
        if one in _INTERVAL:
            found.setdefault("ci_lower", i)
        if one in ("p", "pvalue", "pval", "pwert"):
            found.setdefault("p_value", i)
        for key, known in (("n_intervention", _INTERVENTION), ("n_control", _CONTROL)):
            if any(
                side in known and of == "n" for side, of in (*_splits(names[i], "behind"), *_splits(names[i], "glued"))
            ):
                found.setdefault(key, i)
    observed = next((i for i, one in enumerate(squeezed) if one in _OBSERVED), None)
    if observed is not None and "variance" in found and not (estimates and "se" in found):
        rest = {
            key: i
            for key, i in identity.items()
            if i not in (observed, found["variance"]) and key not in ("arm", "role")
        }
        return Layout("contrast", {("", "oe"): observed, ("", "v"): found["variance"]}, rest, measure="HR")
    exact = [key for key in ("se", "variance") if key in found]
    composite = any(plain(names[i])[0].lower() != names[i].lower().strip() for i in estimates)
    if not estimates or not (exact or "ci_lower" in found or "p_value" in found or composite):
        return None
    said = [_ESTIMATES[squeezed[i]] for i in estimates]
    ratio = next((i for i in estimates if _ESTIMATES[squeezed[i]][1] is False), None)
    best = estimates[0] if exact or ratio is None else ratio
    measure = next((name for name, _ in said if name), "")
    log = _ESTIMATES[squeezed[best]][1]
    if exact and ratio is not None and best != ratio:
        # The limits belong to the estimate on the natural scale, which yi and vi repeat with more digits.
        found = {key: i for key, i in found.items() if not key.startswith("ci_")}
    if not exact and ratio is not None:
        log = False
    found.pop("variance" if "se" in found else "", None)
    used = {*found.values(), best}
    rest = {key: i for key, i in identity.items() if i not in used and key not in ("arm", "role")}
    return Layout(
        "contrast",
        {("", "estimate"): best, **{("", key): i for key, i in found.items()}},
        rest,
        measure=measure,
        log=log,
        natural=None if ratio == best else ratio,
    )
