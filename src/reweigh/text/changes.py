"""Words of what changed between two results of a review, and of what did it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from reweigh.text.codes import Code, Sentence, parse, sentence
from reweigh.text.numbers import row_text

MOST = 6
"""Things of one kind that the terminal lists; `changes.csv` has all."""
THERE = "there"
"""What `changes.csv` says of a whole part that only one side has."""
_LONG, _CAUSES = 60, 3


def _cut(value: str) -> str:
    return value if len(value) <= _LONG else f"{value[: _LONG - 3]}..."


def moved(old: str, new: str) -> str:
    """`11 → 1`, `new` or `gone` of a whole part; nothing is called empty, long texts begin where they differ."""
    if {old, new} == {"", THERE}:
        return "new" if new else "gone"
    if len(old) > _LONG and len(new) > _LONG:
        alike = next((at for at, (a, b) in enumerate(zip(old, new, strict=False)) if a != b), 0)
        old, new = (f"...{text[alike - 20 :]}" if alike > 20 else text for text in (old, new))
    return f"{_cut(old) or 'empty'} \N{RIGHTWARDS ARROW} {_cut(new) or 'empty'}"


def _trial(said: str) -> Callable[[Mapping[str, str]], str]:
    def words(p: Mapping[str, str]) -> str:
        does = ""
        if "scale" in p:
            printed = row_text(p)
            does = "alone nothing in print" if printed == p["was"] else f"alone \N{RIGHTWARDS ARROW} {printed}"
        return f"{p['label']} {said}{_in_brackets(p.get('data', ''))}{f': {does}' if does else ''}"

    return words


def _changed(p: Mapping[str, str]) -> str:
    return _trial("corrected" if p.get("data") else "has another effect from the same data")(p)


_ROWS = {"row_new": "new", "row_gone": "gone"}
#: What became of several trials.
_TOGETHER = {
    "trial_new": "are new", "trial_gone": "are gone", "trial_in": "enter", "trial_out": "leave",
    "trial_changed": "have other effects from the same data",
}  # fmt: skip

SENTENCES: Mapping[str, Sentence] = {
    # A datum.
    "datum": lambda p: f"{p['file']} row {p['row']}, {p['column']} {moved(p['old'], p['new'])}",
    "trait": lambda p: f"{p['column']} {moved(p['old'], p['new'])}",
    "used": lambda p: f"{p['column']} as used {moved(p['old'], p['new'])}",
    "row_new": "{file}: new row {row}",
    "row_gone": "{file}: row {row} of the former table is gone",
    # A trial in a pool.
    "trial_new": _trial("is new"),
    "trial_gone": _trial("is gone"),
    "trial_in": _trial("enters"),
    "trial_out": _trial("leaves"),
    "trial_changed": _changed,
    # What stands beside an estimate.
    "domain": lambda p: f"{p['domain']}: {moved(p['old'], p['new'])}",
    "certainty": lambda p: f"certainty: {moved(p['old'], p['new'])}",
    "claims_changed": "the claim itself was changed (claims.yaml)",
    "print_changed": "the print was typed otherwise (published.csv)",
    # What else differs.
    "key": lambda p: f"protocol: {p['key']} {moved(p['old'], p['new'])}",
    "analysis": lambda p: f"it rests on another analysis: {moved(p['old'], p['new'])}",
    "programme": lambda p: f"reweigh {moved(p['old'], p['new'])}",
    "packages": "other versions of {names}",
    "same_programme": (
        "neither its data, nor the protocol, nor a version differ: another state of the programme, or another machine"
    ),
    "not_recorded": "what else differs is not recorded",
}


def data_texts(codes: str) -> list[str]:
    """The words of the codes of data; rows of a file that are new, or gone, are told together."""
    found = parse(codes)
    rows: dict[tuple[str, str], list[str]] = {}
    for one in found:
        if one.name in _ROWS:
            rows.setdefault((one.name, one.parameters["file"]), []).append(one.parameters["row"])
    told = [sentence(one, SENTENCES) for one in found if one.name not in _ROWS]
    for (name, file), unordered in rows.items():
        numbers = sorted(unordered, key=lambda number: (len(number), number))
        of_former = " of the former table" if name == "row_gone" else ""
        what = f"row{'s' * (len(numbers) != 1)} {_list(numbers, 4)}{of_former}"
        told.append(f"{file}: {what} {'is' if len(numbers) == 1 else 'are'} {_ROWS[name]}")
    return told


def causes(codes: str, *, data: bool = True) -> list[str]:
    """What did it, each in words; trials of which nothing more is said than what became of them are told together.

    `data`: whether the data of corrected trials are told, too.
    """
    found = parse(codes)
    plain: dict[str, list[str]] = {}
    for one in found:
        if one.name in _TOGETHER and not one.parameters.get("data") and "scale" not in one.parameters:
            plain.setdefault(one.name, []).append(one.parameters["label"])
    told: dict[str, None] = {}
    for one in found:
        labels = plain.get(one.name, [])
        alike = len(labels) > 1 and one.parameters.get("label") in labels
        told[f"{_list(labels, 3)} {_TOGETHER[one.name]}" if alike else _words(one, data)] = None
    return list(told)


def _words(one: Code, data: bool) -> str:
    said = sentence(one, SENTENCES)
    if data or not one.parameters.get("data") or one.name not in _TOGETHER:
        return said
    return said.replace(_in_brackets(one.parameters["data"]), "", 1)


def _in_brackets(data: str) -> str:
    """The first data of a trial; nothing where there are none."""
    return f" ({'; '.join(_first(data_texts(data), 3))})" if data else ""


def cause_text(codes: str) -> str:
    """All of it in one cell."""
    return "; ".join(sentence(one, SENTENCES) for one in parse(codes))


def lines(changes: Mapping[str, Any]) -> Iterator[str]:
    """The summary of a review in the terminal.

    `changes`: as `reweigh.compare.shown` gives them.
    """
    name, former = changes["review"], changes["former"]
    if not changes["changes"]:
        yield f"{name}: nothing changed"
        return
    yield f"{name}{f', against {former}' if former != name else ''}: {_many(changes['changes'], 'change')}"
    if missing := unrecorded(changes):
        yield missing
    trials = {kind: changes[kind] for kind in ("new", "gone", "corrected")}
    if any(trials.values()):
        yield "Trials: " + ", ".join(f"{len(found)} {kind}" for kind, found in trials.items() if found)
        yield from (f"  {kind}: {_list(found)}" for kind, found in trials.items() if found and kind != "corrected")
        yield from _first([f"  {one['label']}: {'; '.join(_first(one['data'], 3))}" for one in trials["corrected"]])
    if changes["reworded"]:
        yield f"Only words (sources, notes) changed of {_many(changes['reworded'], 'trial')}"
    if changes["protocol"]:
        yield f"Protocol: {_many(len(changes['protocol']), 'key')}"
        yield from _first([f"  {one['key']}: {moved(one['old'], one['new'])}" for one in changes["protocol"]])
    if changes["programme"]:
        yield "Programme: " + _list([f"{one['name']} {moved(one['old'], one['new'])}" for one in changes["programme"]])
    if changes["estimates"] or changes["beyond"] or changes["further"]:
        yield f"Estimates: {estimates_text(changes)}"
        yield from _first([_line(one["what"], one) for one in changes["estimates"]])
    for kind, head in (("certainty", "Certainty"), ("verdicts", "Verdicts"), ("published", "Published estimates")):
        if found := changes[kind]:
            yield f"{head}: {len(found)} moved"
            yield from _first([_line(one.get("what") or f"{one['id']}, {_cut(one['claim'])}", one) for one in found])


def unrecorded(changes: Mapping[str, Any]) -> str:
    """What could not be compared, for want of a record; empty where all could."""
    said = [] if changes["typed"] else ["the tables as checked (data are compared as effects.csv used them)"]
    said += [] if changes["recorded"] else ["protocol and versions"]
    return f"Not recorded on one side: {'; '.join(said)}" if said else ""


def estimates_text(changes: Mapping[str, Any]) -> str:
    """How many estimates moved, and which of them in print."""
    said = [f"{len(changes['estimates'])} main {'one' if len(changes['estimates']) == 1 else 'ones'} moved"]
    if changes["beyond"]:
        said.append(f"{len(changes['beyond'])} moved only beyond the printed digits")
    if changes["further"]:
        said.append(f"{changes['further']} further (other models, measures and sets)")
    return "; ".join(said)


def _line(what: str, one: Mapping[str, Any]) -> str:
    """One thing that moved, with what did it."""
    rest = len(one["causes"]) - _CAUSES
    why = "; ".join([*one["causes"][:_CAUSES], *([f"{_many(rest, 'more cause')}"] if rest > 0 else [])])
    return f"  {what}: {from_to(one['old'], one['new'])}{f'. {_upper(why)}' if why else ''}"


def from_to(old: str, new: str) -> str:
    """What something was and is, or that it is new or gone."""
    if old and new:
        return f"{old} \N{RIGHTWARDS ARROW} {new}"
    return f"new, {new}" if new else f"gone, was {old}"


def _first(found: Sequence[str], most: int = MOST) -> list[str]:
    """The first of several, and how many there are beyond; an indent goes on."""
    indent = "  " if found and found[0].startswith("  ") else ""
    return [*found[:most], *([f"{indent}and {len(found) - most} more"] if len(found) > most else [])]


def _list(found: Sequence[str], most: int = MOST) -> str:
    return ", ".join(found[:most]) + _more(found, most)


def _more(found: Sequence[object], most: int) -> str:
    return f" and {len(found) - most} more" if len(found) > most else ""


def _many(number: int, what: str) -> str:
    return f"{number:,} {what}{'s' * (number != 1)}"


def _upper(text: str) -> str:
    return text[:1].upper() + text[1:]
