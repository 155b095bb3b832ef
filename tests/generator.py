"""Valid reviews made up from a seed: the files of a data folder that the check must let through.

Everything that a protocol can say and that a table can hold comes up: no trial to forty, every type of outcome, measure,
model, design and way of reporting, windows, sets and subgroups, gaps, ties, zero cells, extreme and equal numbers,
unicode. The same seed gives the same files.
"""

from __future__ import annotations

import csv
import io
import math
import random
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from reweigh.certainty.assess import OVERRIDE_COLUMNS
from reweigh.claims.model import WITHOUT_COMPARISON
from reweigh.measures import MEASURES, MEASURES_OF_TYPE, RATIO_MEASURES, natural
from reweigh.risk_of_bias import read_tools
from reweigh.tables.specs import ARMS, CONTRASTS

TOOLS = read_tools((Path(__file__).parent.parent / "data" / "risk_of_bias_tools.yaml").read_bytes())
TRIALS = (0, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 5, 5, 6, 7, 8, 10, 11, 12)
MANY = (14, 17, 25, 40)
OUTCOMES = {
    "continuous": "pain", "binary": "response", "rate": "relapses", "time_to_event": "survival", "generic": "effect",
    "correlation": "association", "proportion": "prevalence", "mean": "length",
}  # fmt: skip
#: Outcomes that no arm reports, and those that a single group has.
WITHOUT_ARMS, SINGLE = ("time_to_event", "generic"), ("correlation", "proportion", "mean")
NAMES = ("Müller & Søn", "王小明", "O'Brien <b>", "=SUM(A1)", "Łódź–Group", "“Quoted”", "Ångström", "de la Cruz; et al.", "-Minus", "Ωmega", "A, B")  # fmt: skip
WORDS = ("x <i>y</i>", "=1+1", "naïve", "β-blocker", "drug (10 mg/d)", "100% sure", "a|b", "{curly}", "back\\slash", "e.g. 5 < 6")  # fmt: skip
TAU2 = ("EE", "DL", "HE", "HS", "SJ", "ML", "REML", "EB", "PM")
INTERVALS = ("wald", "t", "hartung-knapp", "hartung-knapp guarded")
PREDICTIONS = ("none", "t(k-2)", "t(k-1)", "hartung-knapp")
PRESETS = ("cochrane", "revman-classic", "revman-5", "revman")

Row = dict[str, Any]


def table(rows: list[Row], columns: tuple[str, ...], whole: bool = False) -> bytes:
    """Rows as a CSV file; columns that no row fills are left out, as people do, unless the table is wanted whole."""
    used = [name for name in columns if whole or any(row.get(name) not in (None, "") for row in rows)]
    out = io.StringIO()
    writer = csv.DictWriter(out, used, extrasaction="ignore", lineterminator="\n", restval="")
    writer.writeheader()
    writer.writerows([{name: _cell(value) for name, value in row.items()} for row in rows])
    return out.getvalue().encode()


def _cell(value: Any) -> str:
    return "" if value is None else f"{value:.12g}" if isinstance(value, float) else str(value)


def yaml_of(raw: Mapping[str, Any]) -> bytes:
    """A YAML file of these keys."""
    out = io.BytesIO()
    YAML(typ="safe", pure=True).dump(dict(raw), out)
    return out.getvalue()


class Generator:
    """One made-up review."""

    def __init__(self, seed: int, many: bool = False) -> None:
        self.seed = seed
        self.dice = random.Random(seed)
        self.k = self.dice.choice(MANY if many else TRIALS)
        self.types = self.dice.sample(list(OUTCOMES), self.dice.choice((1, 1, 1, 2)))
        #: How far the trials' effects lie apart, and how large they are.
        self.spread = self.dice.choice((0.0, 0.0, 0.1, 0.3, 0.3, 0.3, 1.0, 5.0))
        self.effect = self.dice.choice((0.0, -0.3, 0.4, -2.0))
        self.sizes = self.dice.choice(("usual", "usual", "usual", "equal", "tiny", "mixed", "huge"))
        self.risk = self.dice.choice((0.0, 0.02, 0.1, 0.3, 0.5, 0.9, 1.0))
        self.magnitude = 10.0 ** self.dice.choice((0, 0, 0, 1, 1, -3, 5))
        self.twins = self.maybe(0.1)
        self.control: Row | None = None

    def maybe(self, chance: float) -> bool:
        """True by this chance."""
        return self.dice.random() < chance

    # --- the protocol -----------------------------------------------------------------------------------------------

    def outcome(self, kind: str) -> dict[str, Any]:
        dice, measures = self.dice, list(MEASURES_OF_TYPE[kind])
        dice.shuffle(measures)
        also = measures[1 : 1 + dice.choice((0, 0, 1, 1, 2))]
        said: dict[str, Any] = {
            "label": dice.choice(("Pain", "Ängste", "Outcome <1>", "A & B")),
            "type": kind, "measure": measures[0],
        }  # fmt: skip
        if kind not in SINGLE:
            said["better"] = dice.choice(("lower", "higher"))
        if also:
            said["also"] = also
        if kind in ("continuous", "mean") and self.magnitude == 1 and self.maybe(0.6):
            said["scale"] = dice.choice(([0, 10], [0, 100], [-1, 1]))
        if self.maybe(0.3):
            said["unit"] = "points"
        source = "a rough guide (GRADE 6)"
        wanted = {m: [0.75, 1.25] if m in RATIO_MEASURES else 0.2 for m in (measures[0], *also) if self.maybe(0.6)}
        if wanted and kind not in SINGLE:
            said["smallest_important_difference"] = {m: {"value": v, "source": source} for m, v in wanted.items()}
        return said

    def windows(self) -> dict[str, Any]:
        return self.dice.choice(
            (
                {"all": {"any": True}},
                {"end": {"label": "End of treatment", "text": ["end of treatment", "Ende"]}},
                {
                    "week_1": {"label": "Week 1", "from": 0, "to": 10, "nominal": 7},
                    "week_4": {"label": "Week 4 (nominal)", "over": 10, "below": 43, "nominal": 28},
                    "late": {"label": "later", "from": 43, "to": 4000, "nominal": 84, "text": ["follow-up"]},
                },
            )
        )

    def times(self, windows: Mapping[str, Any]) -> tuple[tuple[str, float | None], ...]:
        if "all" in windows:
            return (("end", None), ("week 4", 28.0), ("", None))
        if "end" in windows:
            return (("end of treatment", None), ("Ende", None), ("another time", None))
        return (("week 1", 7.0), ("4 weeks", None), ("day 9", 9.0), ("follow-up", None), ("2 years", None), ("baseline", 0.0), ("3 months after treatment", None))  # fmt: skip

    def model(self, at: int) -> Any:
        dice = self.dice
        if self.maybe(0.5):
            return dice.choice(PRESETS)
        pooling = dice.choice(("inverse variance",) * 3 + ("mantel-haenszel", "peto", "mantel-haenszel for counts"))
        tau2 = {"inverse variance": TAU2, "peto": ("EE",)}.get(pooling, ("EE", "DL"))
        said: dict[str, Any] = {"name": f"model {at}", "pooling": pooling, "tau2": dice.choice(tau2), "i2": dice.choice(("tau2", "Q"))}  # fmt: skip
        common = pooling != "inverse variance" and said["tau2"] == "EE"
        options = (*INTERVALS, *(("profile likelihood",) if said["tau2"] == "ML" and not common else ()))
        said["interval"] = "wald" if common else dice.choice(options)
        said["prediction_interval"] = dice.choice((*PREDICTIONS, *(("bootstrap",) if self.maybe(0.2) else ())))
        if pooling.startswith("mantel") and self.maybe(0.7):
            said |= {"mantel_haenszel": dice.choice(("exact", "corrected")), "rd_variance": dice.choice(("greenland-robins", "sato"))}  # fmt: skip
        if self.maybe(0.1):
            said["smd_variance"] = dice.choice(("LS", "LS2", "UB", "AV", "RevMan"))
        return said

    def models(self) -> list[Any]:
        found = {}
        for at in range(self.dice.choice((1, 2, 2, 3))):
            one = self.model(at)
            found[one if isinstance(one, str) else one["name"]] = one
        return list(found.values())

    def assumptions(self) -> dict[str, Any]:
        dice = self.dice
        options: dict[str, tuple[Any, ...]] = {
            "crossover_correlation": (-0.2, 0.0, 0.5, 0.95), "crossover_phi": (-0.5, 0.0, 0.2, 0.9),
            "baseline_correlation": (0.0, 0.5, 0.9), "comparison_correlation": (0.0, 0.5, 0.9),
            "change_scores": (True, False), "zero_cells": ("only0", "needed", "all", "tacc", "none", "RevMan"),
            "md_variance": ("separate", "pooled"), "smd_variance": ("LS", "LS2", "UB", "AV", "RevMan"),
            "smdh_version": ("3.8", "5"), "standardiser": ("between", "difference"),
            "median_method": ("luo-wan-shi", "luo-wan-shi", "wan", "lognormal", "quantile"),
            "contrast_ci": ("normal", "t"), "p_inequality_as_equality": (True, False),
        }  # fmt: skip
        return {name: dice.choice(values) for name, values in options.items() if self.maybe(0.3)}

    def sets(self) -> dict[str, Any]:
        main: dict[str, Any] = {"label": "All trials", "include": {"eligible": ["yes"]}}
        further: dict[str, dict[str, Any]] = {
            "acute_only": {"label": "Acute <only>", "include": {"kind": ["acute"]}},
            "no_chronic": {"label": "Without chronic", "exclude": {"kind": ["chronic"]}},
            "as_independent": {"label": "Crossover as independent", "crossover": "as_independent"},
            "split": {"label": "Shared arms split", "shared_arms": "split"},
            "keep": {"label": "Comparisons as they are", "shared_arms": "keep"},
            "favourable": {"label": "P favours the drug", "unknown_direction": "favours_intervention"},
            "other_models": {"label": "Other models", "models": self.models()},
        }
        names = self.dice.sample(list(further), self.dice.choice((0, 0, 1, 1, 2)))
        return {"main": main} | {name: further[name] for name in names}

    def priors(self, outcomes: Mapping[str, Any]) -> dict[str, Any]:
        source = "a made-up prior"
        families = (
            {"family": "half-normal", "scale": 0.5}, {"family": "half-cauchy", "scale": 0.5},
            {"family": "half-t", "scale": 0.5, "df": 3}, {"family": "log-normal", "location": -2.0, "scale": 1.5},
            {"family": "log-t", "location": -2.0, "scale": 1.5, "df": 5},
        )  # fmt: skip
        measures = [m for o in outcomes.values() for m in (o["measure"], *o.get("also", ()))]
        return {m: {**self.dice.choice(families), "source": source} for m in measures if self.maybe(0.3)}

    def multiverse(self, outcomes: Mapping[str, Any], windows: Mapping[str, Any]) -> dict[str, Any]:
        dice = self.dice
        choices: dict[str, dict[str, Any]] = {
            "correlation": {"half": {}, "high": {"crossover_correlation": 0.9, "crossover_phi": 0.5}},
            "trials": {"all": {}, "acute": {"label": "Acute", "include": {"kind": ["acute"]}}},
            "tau2": {"REML": {"tau2": "REML"}, "DL": {"tau2": "DL"}, "EE": {"tau2": "EE"}},
            "interval": {"hk": {"interval": "hartung-knapp"}, "wald": {"interval": "wald"}},
            "zero": {
                "usual": {},
                "tacc": {"zero_cells": "tacc"},
                "none": {"zero_cells": "none"},
                "revman": {"zero_cells": "RevMan"},
            },
            "time": {"nearest": {"time": "nearest"}, "latest": {"time": "latest"}},
            "crossover": {"paired": {}, "independent": {"crossover": "as_independent"}},
            "arms": {"combine": {}, "split": {"shared_arms": "split"}, "keep": {"shared_arms": "keep"}},
        }
        names = dice.sample(list(choices), dice.choice((1, 2, 3)))
        if self.maybe(0.3):
            measures = MEASURES_OF_TYPE[next(iter(outcomes.values()))["type"]]
            names, choices = [*names, "measure"], choices | {"measure": {"main": {}, "other": {"measure": dice.choice(measures)}}}  # fmt: skip
        said: dict[str, Any] = {"choices": {name: choices[name] for name in names}}
        if self.maybe(0.5):
            said["analyses"] = [f"{next(iter(outcomes))}.{next(iter(windows))}"]
        return said

    def protocol(self) -> dict[str, Any]:
        dice = self.dice
        outcomes = {OUTCOMES[kind]: self.outcome(kind) for kind in self.types}
        windows = self.windows()
        said: dict[str, Any] = {
            "title": dice.choice(("A review", "Überblick: <b>bold</b> & more", "=title")),
            "question": {"population": dice.choice(WORDS), "intervention": "drug", "comparator": "placebo"},
            "words": {"intervention": dice.choice(("drug", "Präparat <x>")), "control": "placebo"},
            "table_source": {"arms": "made up", "contrasts": "made up"},
            "outcomes": outcomes, "windows": windows,
            "categories": {"kind": {"acute": "Acute", "chronic": "Chronic (long)", "ülcer": "Ülcer"}},
            "sets": self.sets(), "models": self.models(),
        }  # fmt: skip
        subgroups = dice.choice(([], ["kind"], ["kind"], ["kind", "long"], ["long"]))
        if "long" in subgroups:
            groups = {"long lasting": ["chronic"], "all else": "rest"}
            said["groupings"] = {"long": {"label": "Duration", "column": "kind", "groups": groups}}
        if subgroups:
            said |= {"subgroups": subgroups, "subgroup_tau2": dice.choice(("separate", "common"))}
        if assumptions := self.assumptions():
            said["assumptions"] = assumptions | {"source": "made up"}
        if self.maybe(0.4):
            said["level"] = dice.choice((0.9, 0.95, 0.99))
        if priors := self.priors(outcomes):
            said["bayes"] = priors
        if self.maybe(0.4):
            moderators = dice.choice((["dose"], ["dose"], ["kind"], ["dose", "kind"]))
            said["meta_regression"] = {"by_dose": {"moderators": moderators, "permutations": dice.choice((0, 0, 50)), "below_minimum": dice.choice(("refuse", "go on", "go on"))}}  # fmt: skip
        if self.maybe(0.35):
            said["multiverse"] = self.multiverse(outcomes, windows)
        said["robustness"] = {"minimum_trials": dice.choice((3, 3, 5, 10)), "removals": 3000, "seed": 1}
        if self.maybe(0.5):
            said["sequential"] = {
                "alpha": dice.choice((0.05, 0.01)), "power": dice.choice((0.8, 0.9)), "sides": dice.choice((1, 2)),
                "spending": dice.choice(("obrien-fleming", "pocock", "power")), "futility": self.maybe(0.5),
                "adjustment": dice.choice(("fixed", "i2", "d2", "tau2")), "pooling": dice.choice(("common", "DL", "REML")),
            }  # fmt: skip
            # Without a throw of its own: the reviews of the seeds stay what they were.
            if said["sequential"]["alpha"] == 0.01:
                said["sequential"]["assumed_diversity"] = {"percent": [10, 75.5], "source": "made up"}
        if self.maybe(0.2):
            levels = {"levels": dice.choice((-1, -2)), "reason": dice.choice(WORDS) + " (indirect)"}
            said["certainty"] = {"indirectness": {next(iter(outcomes)): levels}}
        return said

    # --- the tables -------------------------------------------------------------------------------------------------

    def studies(self) -> list[Row]:
        dice, found = self.dice, []
        dated = dice.choice((1.0, 1.0, 0.7, 0.0))
        designs = dice.choice((("parallel",), ("parallel", ""), ("parallel", "crossover"), ("crossover",), ("parallel", "crossover", "cluster", "first_period")))  # fmt: skip
        for at in range(max(self.k, 1)):
            name = dice.choice(NAMES) if self.maybe(0.3) else f"Trial {at + 1}"
            year = dice.randint(1985, 2023)
            found.append(
                {
                    "study_id": dice.choice((f"t{at:02}", f"Trial {at}", f"müller-{at}", f"=t{at}")) if self.maybe(0.3) else f"t{at:02}",
                    "label": f"{name} {year}" if self.maybe(0.9) else "",
                    "year": f"{year}{dice.choice(('', '', 'a'))}" if self.maybe(dated) else "",
                    "design": dice.choice(designs),
                    "eligible": "no" if self.k == 0 or self.maybe(0.08) else "yes",
                    "kind": dice.choice(("acute", "chronic", "ülcer", "acute", "")),
                    "dose": "" if self.maybe(0.1) else round(dice.uniform(1, 50), 1),
                    "condition": dice.choice(WORDS) if self.maybe(0.3) else "",
                    "note": dice.choice(WORDS) if self.maybe(0.3) else "",
                }
            )  # fmt: skip
        # Every category that a set may name stands somewhere; that is what the check asks for.
        return found

    def size(self) -> int:
        dice = self.dice
        kinds: dict[str, Callable[[], int]] = {
            "usual": lambda: dice.randint(10, 200), "equal": lambda: 30, "tiny": lambda: dice.choice((2, 2, 3, 4, 5)),
            "huge": lambda: dice.randint(10_000, 2_000_000), "mixed": lambda: dice.choice((3, 10, 100, 5000, 1_000_000)),
        }  # fmt: skip
        return kinds[self.sizes]()

    def rows_of(self, study: Row, protocol: Mapping[str, Any], arms: list[Row], contrasts: list[Row]) -> None:
        """The rows of one trial, in either table."""
        dice = self.dice
        several = self.maybe(0.12)
        for name, outcome in protocol["outcomes"].items():
            if self.maybe(0.12):
                continue
            self.control = None
            times = dice.sample(self.times(protocol["windows"]), 1 if self.maybe(0.7) else 2)
            first = next(iter(protocol["windows"]))
            if self.maybe(0.5):  # most trials meet in one window
                times[0] = {"all": ("end", None), "end": ("end of treatment", None)}.get(first, ("week 1", 7.0))
            for time, day in dict(times).items():
                at = {"outcome": name, "timepoint": time, "timepoint_days": day, "study_id": study["study_id"]}
                for comparison in range(2 if several else 1):
                    named = at | ({"comparison_id": f"{study['study_id']}-{'ab'[comparison]}"} if several else {})
                    alone = outcome["type"] in WITHOUT_ARMS
                    if alone or self.maybe(0.25):
                        row = named | self.contrast(outcome, study)
                        if not any(_key(row, "measure") == _key(other, "measure") for other in contrasts):
                            contrasts.append(row)
                        if alone or self.maybe(0.7):
                            continue
                    arms += [named | one for one in self.arms(outcome, study, comparison)]

    def theta(self) -> float:
        return self.effect + self.spread * self.dice.gauss(0, 1)

    def arms(self, outcome: Mapping[str, Any], study: Row, comparison: int) -> Iterator[Row]:
        dice = self.dice
        ns = [self.size(), self.size()]
        if study["design"] == "crossover" or self.maybe(0.3):
            ns[1] = ns[0]
        if outcome["type"] in ("binary", "proportion"):
            sides = self.counts(ns)
        elif outcome["type"] == "rate":
            sides = self.rates(ns)
        elif outcome["type"] == "correlation":
            r = min(round(math.tanh(0.3 * self.theta()), 2), 0.99)
            sides = [
                {"n": ns[0] if self.maybe(0.97) else None, "correlation": max(r, -0.99) if self.maybe(0.97) else None}
            ]
        else:
            sides = self.means(outcome, ns, study)
        extra: Row = {}
        if study["design"] == "cluster" and self.maybe(0.6):
            extra |= {"icc": dice.choice((0.0, 0.02, 0.3)), "cluster_size": dice.choice((1.0, 12.0, 25.5))}
        if study["design"] == "crossover" and self.maybe(0.3):
            extra |= {"correlation": round(dice.uniform(-0.9, 0.98), 2)} if outcome["type"] == "continuous" else {"phi": round(dice.uniform(-0.4, 0.9), 2)}  # fmt: skip
        if self.maybe(0.05):
            extra["better"] = dice.choice(("lower", "higher"))
        if outcome["type"] in SINGLE and not self.maybe(0.03):  # rarely another arm stands beside the group
            sides = sides[:1]
        shared = sides[-1] if comparison == 0 else None
        roles = ("intervention", "control")
        names = ("drug" if comparison == 0 else "drug b", "placebo")
        # Some trials share the control arm of their two comparisons, number by number.
        if comparison == 0:
            self.control = shared
        elif self.control is not None and len(sides) > 1 and self.maybe(0.5):
            sides[1] = self.control
        for role, arm, side in zip(roles, names, sides, strict=False):
            yield {"arm": arm, "role": role, **extra, **side}
        if self.maybe(0.05):
            yield {"arm": "third arm", "role": dice.choice(("other", "intervention")), **extra, **sides[0]}

    def counts(self, ns: list[int]) -> list[Row]:
        base = self.risk
        other = 1 / (1 + math.exp(-(math.log(base / (1 - base)) + self.theta()))) if 0 < base < 1 else base
        found = []
        for n, risk in zip(ns, (other, base), strict=True):
            events = min(n, max(0, round(n * risk + self.dice.gauss(0, 1) * math.sqrt(n * risk * (1 - risk)))))
            form = self.dice.choice(("events", "events", "events", "percent", "both", "nothing" if self.maybe(0.2) else "events"))  # fmt: skip
            row: Row = {"n": n if self.maybe(0.98) else None}
            if form in ("events", "both"):
                row["events"] = events
            if form in ("percent", "both"):
                row["percent"] = f"{100 * events / n:.1f}"
            found.append(row)
        return found

    def rates(self, ns: list[int]) -> list[Row]:
        found = []
        for n, effect in zip(ns, (self.theta(), 0.0), strict=True):
            time = round(n * self.dice.uniform(0.5, 3), 1)
            events = round(time * self.risk * math.exp(min(effect, 3.0)) * self.dice.uniform(0.8, 1.2))
            found.append({"n": n if self.maybe(0.9) else None, "events": events, "person_time": time})
        return found

    def means(self, outcome: Mapping[str, Any], ns: list[int], study: Row) -> list[Row]:
        dice = self.dice
        low, high = outcome.get("scale") or (None, None)
        sd = (high - low) / 5 if low is not None else self.magnitude
        middle = (high + low) / 2 if low is not None else self.magnitude * dice.choice((0.0, 3.0, 3.0))
        form = dice.choice(("sd", "sd", "sd", "se", "ci", "quartiles", "range", "five", "change", "baseline", "bare"))
        form = "sd" if form == "bare" and self.maybe(0.6) else form
        digits = dice.choice((1, 2, 3)) - math.floor(math.log10(sd))
        found = []
        for n, effect in zip(ns, (self.theta(), 0.0), strict=True):
            spread = sd * (1.0 if self.spread == 0 else dice.uniform(0.7, 1.4))
            # Far enough from the ends of the scale that every quantile lies on it.
            room = math.inf if low is None else 0.2 * (high - low)
            mean = round(middle + min(max(spread * effect, -room), room), digits)
            unit = 10.0**-digits
            spread = max(round(min(spread, sd * 1.4), digits), unit)
            row: Row = {"n": n if self.maybe(0.97) else None}
            if low is not None and self.maybe(0.7):
                row |= {"scale_min": float(low), "scale_max": float(high)}
            if form == "sd":
                row |= {"mean": mean, "sd": spread}
            elif form == "se":
                row |= {"mean": mean, "se": spread / math.sqrt(n)}
            elif form == "ci":
                half = 1.96 * spread / math.sqrt(n) if low is None else min(1.96 * spread / math.sqrt(n), room)
                row |= {"mean": mean, "ci_lower": mean - half, "ci_upper": mean + half}
                row |= {"ci_level": dice.choice((90.0, 0.95))} if self.maybe(0.2) else {}
            elif form in ("quartiles", "range", "five"):
                step = spread * 0.67 if low is None else min(spread * 0.67, room * 0.7)
                row["median"] = mean
                if form != "range":
                    row |= {"q1": mean - step * dice.choice((1.0, 1.0, 0.0)), "q3": mean + step}
                if form != "quartiles":
                    row |= {"min": mean - 2 * step * 1.01, "max": mean + 2 * step * dice.choice((1.01, 1.2))}
                    if low is not None:
                        row |= {"min": max(row["min"], low), "max": min(row["max"], high)}
            elif form == "change":
                row |= {"change_mean": round(mean - middle, digits), "change_sd": spread}
                if self.maybe(0.3):
                    row |= {"mean": mean, "sd": spread}
            elif form == "baseline":
                row |= {"mean": mean, "sd": spread, "baseline_mean": middle + 0.5 * sd, "baseline_sd": spread}
            elif form == "bare":
                row |= {"mean": mean}
            found.append(row)
        return found

    def contrast(self, outcome: Mapping[str, Any], study: Row) -> Row:
        """A result between arms: estimate with SE or CI, a test, a P, O - E and V."""
        dice = self.dice
        ns = [min(self.size(), 10**6), min(self.size(), 10**6)]
        if study["design"] == "crossover":
            ns[1] = ns[0]
        measures = [
            *MEASURES_OF_TYPE[outcome["type"]],
            outcome["measure"],
            outcome["measure"],
            *outcome.get("also", ()),
        ]
        if outcome["type"] == "continuous":
            measures += ["p_only", "p_only", "SMD_paired"]
        if outcome["type"] == "time_to_event" or "PETO" in measures:
            measures += ["OE_V", "OE_V"]
        measure = dice.choice(measures)
        row: Row = {"measure": measure}
        single = outcome["type"] in SINGLE
        if self.maybe(0.9):
            row |= {"n_intervention": ns[0]} | ({} if single else {"n_control": ns[1]})
        if study["design"] == "crossover" and self.maybe(0.6):
            row["paired"] = dice.choice(("yes", "no"))
        if measure == "OE_V":
            return row | {"oe": dice.gauss(0, 3), "v": dice.choice((0.5, 5.0, 80.0))}
        effect = min(max(self.theta(), -6.0), 6.0)
        se = dice.choice((0.05, 0.2, 0.4, 1.5)) if measure not in ("RD", "AS") else 0.05
        unit = 1.0
        if measure in ("RD", "AS"):
            effect = max(-0.8, min(0.8, effect / 10))
        if measure == "MD":
            low, high = outcome.get("scale") or (0, 5 * self.magnitude)
            unit = (high - low) / 5
            effect = max(-2.0, min(2.0, effect))
        if measure == "p_only":
            return row | self.test_of(row) | {"direction": dice.choice(("favours_intervention", "favours_control", "none"))}  # fmt: skip
        form = dice.choice(("ci", "ci", "ci", "se", "se", "p", "t", "z", "f", "limits", "alone"))
        scale = MEASURES[measure].scale if measure in MEASURES else "natural"
        ratio = scale != "natural"
        if scale == "z":
            effect *= 0.3
        back = (lambda x: float(natural(x, scale))) if ratio else (lambda x: x * unit)
        if form != "limits":
            row["estimate"] = back(effect)
        if form in ("ci", "limits"):
            row |= {"ci_lower": back(effect - 1.96 * se), "ci_upper": back(effect + 1.96 * se)}
            if self.maybe(0.1):
                row["ci_level"] = dice.choice((0.9, 99.0))
        elif form == "se":
            row["se"] = se if ratio else se * unit
            if ratio:
                logged = self.maybe(0.5)
                row |= {"estimate_scale": scale, "estimate": effect} if logged else {"estimate_scale": "natural"}
        elif form == "p":
            row |= self.test_of(row)
        elif form == "t":
            row |= {"t": effect / se} | ({"df": float(sum(ns) - 2)} if self.maybe(0.5) else {})
        elif form == "z":
            row["z"] = effect / se
        elif form == "f":
            row |= {"f": (effect / se) ** 2, "df": float(max(1, sum(ns) - 2))}
        if self.maybe(0.1):
            row["better"] = dice.choice(("lower", "higher"))
        if measure == "MD" and "scale" in outcome and self.maybe(0.6):
            row |= {"scale_min": float(outcome["scale"][0]), "scale_max": float(outcome["scale"][1])}
        return row

    def test_of(self, row: Row) -> Row:
        p = self.dice.choice((0.001, 0.03, 0.049, 0.2, 0.9, 1.0, 1e-12))
        said: Row = {"p_value": p}
        if self.maybe(0.3):
            said["p_operator"] = self.dice.choice(("=", "<", ">"))
        if self.maybe(0.3):
            said["p_test"] = self.dice.choice(("two_sample", "paired", "three_arm", "repeated_measures", "other", "unknown"))  # fmt: skip
        return said

    def bias(self, studies: list[Row], protocol: Mapping[str, Any]) -> list[Row]:
        tool = self.dice.choice(list(TOOLS.values()))
        found = []
        for study in studies:
            for domain in dict(tool.domains) if self.maybe(0.8) else ():
                if self.maybe(0.95):
                    outcome = next(iter(protocol["outcomes"])) if self.maybe(0.05) else ""
                    found.append({"study_id": study["study_id"], "outcome": outcome, "tool": tool.name, "domain": domain, "judgement": self.dice.choice([level.name for level in tool.levels]), "support": self.dice.choice(("", *WORDS))})  # fmt: skip
        return found

    def published(self, protocol: Mapping[str, Any]) -> list[Row]:
        dice, found = self.dice, []
        for at in range(dice.randint(1, 5)):
            name, outcome = dice.choice(list(protocol["outcomes"].items()))
            measure = dice.choice((outcome["measure"], *outcome.get("also", ())))
            centre = dice.choice((0.5, 1.0, 0.82)) if measure in RATIO_MEASURES else dice.choice((-0.5, 0.0, 0.12))
            centre = 0.4 if measure == "PLO" else centre
            low, high = (centre / 1.5, centre * 1.5) if measure in RATIO_MEASURES else (centre - 0.3, centre + 0.3)
            row: Row = {"review_id": f"r{at}", "label": f"{dice.choice(NAMES)} {2000 + at}", "year": 2000 + at if self.maybe(0.8) else "", "outcome": name, "timepoint": dice.choice(("", "week 1", "end")), "measure": measure, "model": dice.choice(("", "random effects", "fixed", "DerSimonian-Laird")), "estimate": f"{centre:.2f}", "source": "page 3", "p_reported": dice.choice(("", "<.001", "0.04", "n.s."))}  # fmt: skip
            if self.maybe(0.8):
                row |= {"ci_lower": f"{low:.2f}", "ci_upper": f"{high:.2f}"}
            row |= {"k": dice.randint(1, 9), "n_total": dice.randint(20, 900)} if self.maybe(0.5) else {}
            row |= {"i2": dice.choice((0, 55.5, 100))} if self.maybe(0.3) else {}
            found.append(row)
        return found

    def claims(self, protocol: Mapping[str, Any], studies: list[Row], published: list[Row]) -> dict[str, Any]:
        dice, found = self.dice, []
        for at in range(dice.randint(1, 3)):
            name, outcome = dice.choice(list(protocol["outcomes"].items()))
            window = dice.choice(list(protocol["windows"]))
            ratio = outcome["measure"] in RATIO_MEASURES
            rules: list[Row] = [{"rule": rule} for rule in ("benefit", "harm", "important_benefit", "equivalence", "no_important_harm", "inconsistent")]  # fmt: skip
            rules += [
                {"rule": "certainty_at_least", "level": "low"},
                {"rule": "certainty_at_most", "level": "moderate"},
            ]
            rules += [
                {"rule": "claimed_value", "value": 0.6 if ratio else 0.1},
                {"rule": "dose_trend", "column": "dose"},
            ]
            kinds = sorted({study["kind"] for study in studies} - {""})
            if kinds:
                rules.append({"rule": "subgroup_larger", "column": "kind", "larger": kinds[:1]})
            if outcome["type"] in ("binary", "proportion"):
                rules.append({"rule": "risk_below", "value": 0.2, "source": "made up"})
            if outcome["measure"] in ("RR", "OR", "RD"):
                rules.append({"rule": "nnt_at_most", "value": 8})
            if outcome["type"] in SINGLE:
                rules = [rule for rule in rules if rule["rule"] in WITHOUT_COMPARISON]
            test = {"outcome": name, "window": window, "label": "of it", **dice.choice(rules)}
            if kinds and self.maybe(0.3):
                test["where"] = {"kind": kinds[:1]}
            claim: dict[str, Any] = {"id": f"A{at:02}", "page": "p", "claim": f"It works, {dice.choice(WORDS)}.", "would_change": "More trials of the kind."}  # fmt: skip
            claim |= {"untestable": "nobody knows"} if self.maybe(0.1) else {"tests": [test]}
            if published and self.maybe(0.5):
                claim["published"] = [{"review_id": published[0]["review_id"]}]
                claim["leans_on"] = [{"label": "Some review", "citation": dice.choice(("supports", "partly", "not_found")), "year": dice.choice((1990, 2005)), "review_id": published[0]["review_id"], "model": {"name": "theirs", "tau2": "DL", "interval": "wald"}}]  # fmt: skip
            found.append(claim)
        return {"pages": {"p": "a page"}, "claims": found}

    def files(self) -> dict[str, bytes]:
        """The review's files by name."""
        protocol, studies = self.protocol(), self.studies()
        arms: list[Row] = []
        contrasts: list[Row] = []
        for study in studies:
            self.rows_of(study, protocol, arms, contrasts)
        if self.twins and len(studies) > 1:  # the second trial is the first one again
            ids = [study["study_id"] for study in studies[:2]]
            for rows in (arms, contrasts):
                rows[:] = [row for row in rows if row["study_id"] != ids[1]]
                rows += [{k: v.replace(ids[0], ids[1]) if k in ("study_id", "comparison_id") else v for k, v in row.items()} for row in rows if row["study_id"] == ids[0]]  # fmt: skip
        if not arms and not contrasts:
            arms = [{"study_id": studies[0]["study_id"], "outcome": next(iter(protocol["outcomes"])), "timepoint": "end", "arm": arm, "role": role} for arm, role in (("drug", "intervention"), ("placebo", "control"))]  # fmt: skip
        self.declare(protocol, studies, arms, contrasts)
        strata = self.own(protocol, [*arms, *contrasts])
        files = {"review.yaml": yaml_of(protocol), "studies.csv": table(studies, tuple(studies[0]), whole=True)}
        if arms:
            files["arms.csv"] = table(arms, (*ARMS.names, *strata))
        if contrasts:
            files["contrasts.csv"] = table(contrasts, (*CONTRASTS.names, *strata))
        if self.maybe(0.5) and (bias := self.bias(studies, protocol)):
            files["risk_of_bias.csv"] = table(bias, tuple(bias[0]))
        published = self.published(protocol) if self.maybe(0.4) else []
        if published:
            names = ("review_id", "label", "year", "outcome", "timepoint", "measure", "model", "estimate", "ci_lower", "ci_upper", "i2", "k", "n_total", "p_reported", "source")  # fmt: skip
            files["published.csv"] = table(published, names)
        if self.maybe(0.4):
            files["claims.yaml"] = yaml_of(self.claims(protocol, studies, published))
        if self.maybe(0.1):
            name, window = next(iter(protocol["outcomes"])), next(iter(protocol["windows"]))
            row = dict.fromkeys(OVERRIDE_COLUMNS, "") | {"analysis": f"{name}.{window}", "domain": "imprecision", "levels": "-1", "reason": "as we see it", "initials": "us"}  # fmt: skip
            files["certainty_overrides.csv"] = table([row], tuple(OVERRIDE_COLUMNS), whole=True)
        return files

    def own(self, protocol: dict[str, Any], rows: list[Row]) -> tuple[str, ...]:
        """Models, level and words of outcomes' own, and a subgroup column of rows; its name is given back.

        By dice of its own, so that what else a seed has stays as it was.
        """
        dice = random.Random(f"own {self.seed}")
        for chosen in protocol["sets"].values():
            for model in chosen.get("models", ()):
                if not isinstance(model, str):  # a name stands for one model
                    model["name"] = f"other {model['name']}"
        for outcome in protocol["outcomes"].values():
            if dice.random() < 0.2:
                outcome["models"] = dice.choice((["revman-classic", "cochrane"], ["revman-5"], ["cochrane", "revman"]))
            if dice.random() < 0.2:
                outcome["level"] = dice.choice((0.9, 0.99))
            if dice.random() < 0.2:
                outcome["words"] = {"intervention": "pill <y>", "control": "nothing"}
        if dice.random() < 0.7 or not rows:
            return ()
        for row in rows:  # both arms of a comparison are in one stratum
            of = f"{self.seed} {row.get('comparison_id', row['study_id'])} {row['outcome']}"
            row["stratum"] = random.Random(of).choice(("low", "high", "höchst", "low", ""))
        if not any(row["stratum"] for row in rows):  # a column without any value is not written
            return ()
        protocol["categories"]["stratum"] = ["low", "high", "höchst"]
        protocol["row_subgroups"] = ["stratum"]
        return ("stratum",)

    def declare(self, protocol: dict[str, Any], studies: list[Row], arms: list[Row], contrasts: list[Row]) -> None:
        """What the protocol says of single trials; and no category in a set that no trial could have."""
        rows = [*arms, *contrasts]
        several = sorted({row["study_id"] for row in rows if row.get("comparison_id")})
        if several and self.maybe(0.5):
            if self.maybe(0.5):
                protocol["independent_comparisons"] = [{"study": several[0], "reason": "two strata"}]
            else:
                protocol["shared_arms"] = [{"study": several[0], "arm": "control", "n": self.dice.choice(("split", "repeated")), "source": "page 2"}]  # fmt: skip
        both = {row["study_id"] for row in arms} & {row["study_id"] for row in contrasts}
        if both and self.maybe(0.5):
            name = next(iter(protocol["outcomes"]))
            protocol["preferences"] = [{"study": min(both), "outcome": name, "use": self.dice.choice(("arms", "contrasts")), "reason": "the better one"}]  # fmt: skip


def _key(row: Row, *more: str) -> tuple[Any, ...]:
    return tuple(row.get(name) for name in ("study_id", "comparison_id", "outcome", "timepoint", *more))


def review(seed: int, many: bool = False) -> dict[str, bytes]:
    """The files of the review of this seed; `many`: one of 14 to 40 trials."""
    return Generator(seed, many).files()


def smaller(files: Mapping[str, bytes]) -> Iterator[dict[str, bytes]]:
    """The same review with something less in it: a file, a trial, a row, a key of the protocol."""
    for name in files:
        if name not in ("review.yaml", "studies.csv"):
            yield {k: v for k, v in files.items() if k != name}
    trials = [row["study_id"] for row in csv.DictReader(io.StringIO(files["studies.csv"].decode()))]
    for trial in trials if len(trials) > 1 else ():
        yield {k: _without(v, lambda row, trial=trial: row.get("study_id") == trial) if k.endswith(".csv") else v for k, v in files.items()}  # fmt: skip
    for name in ("arms.csv", "contrasts.csv", "published.csv"):
        for at in range(files[name].count(b"\n") - 1 if name in files else 0):
            counted = iter(range(10**6))
            yield {**files, name: _without(files[name], lambda row, at=at, c=counted: next(c) == at)}
    for name in ("review.yaml", "claims.yaml"):
        raw = YAML(typ="safe", pure=True).load(files.get(name, b"{}"))
        for path in _paths(raw):
            changed = YAML(typ="safe", pure=True).load(files[name])
            node = changed
            for step in path[:-1]:
                node = node[step]
            del node[path[-1]]
            yield {**files, name: yaml_of(changed)}


def _without(content: bytes, leave: Callable[[Row], bool]) -> bytes:
    rows = list(csv.DictReader(io.StringIO(content.decode())))
    kept = [row for row in rows if not leave(row)]
    return table(kept, tuple(rows[0]), whole=True) if kept else content


def _paths(node: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    for key, value in node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ():
        yield (*path, key)
        yield from _paths(value, (*path, key))


def smallest(files: dict[str, bytes], fails: Callable[[dict[str, bytes]], bool]) -> dict[str, bytes]:
    """Make a failing review smaller as long as it fails; for a person who looks for the fault."""
    found = True
    while found:
        found = next((less for less in smaller(files) if fails(less)), None)
        files = found or files
    return files
