"""Foreign files in: each is recognised by its content and read by the reader of its kind."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Mapping
from pathlib import PurePath

import pandas as pd

from reweigh.exchange.flow import is_flow, read_flow
from reweigh.exchange.grids import Grid, UnreadableError, grids, kind_of
from reweigh.exchange.headers import squeeze
from reweigh.exchange.ids import outcome_id
from reweigh.exchange.options import Options
from reweigh.exchange.references import merged, read_references, reference_kind
from reweigh.exchange.result import Cell, Imported
from reweigh.exchange.robvis import judgement_header, read_robvis
from reweigh.exchange.wide import has_results, read_studies, read_wide
from reweigh.measures import MEASURES
from reweigh.protocol.models import PRESETS
from reweigh.tables.problems import did_you_mean

_TABLES = ("csv", "xlsx", "dta", "sav", "rda")
#: Bytes of an unpacked archive: no review is larger, a zip bomb is.
_LARGEST = 500_000_000
#: Texts that are no tables, by how they begin.
_LOOKS = (
    (r"\s*<\?xml|\s*<[a-z!]", "an XML or HTML file"),
    (r"\s*[{\[]\s*[\"{\[\]}]", "a JSON file"),
    (r"PMID- ", "a PubMed file (.nbib); export it as RIS"),
    (r"%!PS|\\documentclass|\s*library\(|\s*#!", "a program or a document"),
)


def read(files: Mapping[str, bytes], options: Options | None = None) -> Imported:
    """The review that foreign files hold.

    Parameters
    ----------
    files
        Name to bytes. Tables of results (CSV, .xlsx, .dta, .sav, .rda), Cochrane data packages and RevMan files,
        robvis tables, RIS and BibTeX, flow counts of the PRISMA 2020 tool, in any mix; names do not matter.
    options
        What a person says of them; None: all is guessed.

    Returns
    -------
    One review. With `problems` where a file is none of these (what it looks like, which columns are missing) or where
    an option is not known. Nothing is computed, and no pickle is ever opened.
    """
    options = options or Options()
    if problems := _unknown(options):
        return Imported(problems=problems)
    parts: dict[str, list[tuple[str, Imported]]] = {"data": [], "bias": [], "references": [], "studies": [], "flow": []}
    cochrane: dict[str, bytes] = {}
    waiting: list[tuple[str, bytes]] = []
    refused: list[str] = []
    for name, data in _unpacked(files).items():
        short = PurePath(name).name
        kind = kind_of(data, short)
        if kind == "zip" or is_cochrane(data, kind):
            cochrane[name] = data
        elif kind not in _TABLES:
            refused.append(f"{short} looks like {kind}; {_READ}")
        else:
            waiting.append((short, data))
    if cochrane:
        parts["data"].append(("", _cochrane(cochrane, options)))
    tables: list[tuple[str, list[Grid]]] = []
    listed: list[tuple[str, list[Grid]]] = []
    for short, data in waiting:
        kind = kind_of(data, short)
        text = _start(data) if kind == "csv" else ""
        if kind == "csv" and (of := reference_kind(text[:20000])):
            parts["references"].append((short, read_references(_decoded(data), short, of)))
        elif looks := next((what for pattern, what in _LOOKS if re.match(pattern, text)), ""):
            refused.append(f"{short} looks like {looks}; {_READ}")
        else:
            try:
                sheets = grids(data, short, kind)
            except UnreadableError as why:
                refused.append(str(why))
                continue
            rest = []
            for sheet in sheets:
                asked = not options.sheet or sheet.sheet.casefold() == options.sheet.casefold()
                if asked and sheet.rows and is_flow(sheet.rows[0][1]):
                    parts["flow"].append((short, read_flow(sheet)))
                elif asked and judgement_header(sheet.rows):
                    parts["bias"].append((short, read_robvis(sheet, options.tools, options.outcome)))
                else:
                    rest.append(sheet)
            if any(has_results(sheet, options) for sheet in rest):
                tables.append((short, rest))
            elif lists := [one for sheet in rest if (one := read_studies(sheet, options))]:
                parts["studies"] += [(short, one) for one in lists]
                listed.append((short, rest))
            elif len(rest) == len(sheets):
                tables.append((short, rest))
    if not tables and not cochrane and options.columns and options.columns.columns:
        # A map speaks of results: that they are not found must be said.
        tables, parts["studies"] = listed, []
    for short, sheets in tables:
        mine = options
        if len(tables) > 1 and not options.outcome and not (options.columns and options.columns.columns):
            mine = options.of(outcome=outcome_id(PurePath(short).stem))
        parts["data"].append((short, read_wide(sheets, mine)))
    return _joined(parts, refused)


_READ = (
    "what is read: tables as CSV, .xlsx, .dta, .sav or .rda, Cochrane data packages and RevMan files, robvis tables, "
    "RIS and BibTeX, and flow counts of the PRISMA 2020 tool"
)


def _unknown(options: Options) -> tuple[str, ...]:
    """Options that name what there is not."""
    problems = []
    allowed = [name for name, one in MEASURES.items() if one.protocol]
    if options.measure and options.measure not in allowed:
        hint = did_you_mean(options.measure, allowed)
        problems.append(f"there is no measure {options.measure}{hint}; the measures are {', '.join(allowed)}")
    if options.model and options.model not in PRESETS:
        hint = did_you_mean(options.model, list(PRESETS))
        problems.append(f"there is no model {options.model}{hint}; the presets are {', '.join(PRESETS)}")
    if options.outcome and not re.fullmatch(r"[a-z][a-z0-9_]*", options.outcome):
        wanted = "lower-case letters, digits and underscores, a letter first"
        problems.append(f"{options.outcome!r} is no id of an outcome ({wanted}); {outcome_id(options.outcome)} is one")
    return tuple(problems)


def _decoded(data: bytes) -> str:
    """A text in UTF-8, UTF-16 or Windows-1252."""
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return data.decode("utf-16", "replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace")


def _start(data: bytes) -> str:
    """The first characters of a text."""
    return _decoded(data[:40000] if data[:2] not in (b"\xff\xfe", b"\xfe\xff") else data)[:40000]


def is_cochrane(data: bytes, kind: str) -> bool:
    """Whether a file is RevMan's .rm5 or CSV, or of a Cochrane data package or RevMan Web."""
    if kind != "csv":
        return False
    text = _start(data)[:4000]
    if "<COCHRANE_REVIEW" in text:
        return True
    head = text.lstrip().splitlines()[0] if text.strip() else ""
    parts = re.split(r"[,;\t]", head.replace('"', ""))
    names = {squeeze(part) for part in parts}
    marks = (
        {"analysisgroup", "analysisnumber"},
        {"comparisonnumber", "outcomenumber"},
        {"datatype", "effectmeasure"},
        {"study", "arm", "description", "intervention"},
    )
    judged = any(re.match(r".*(?:judgement|judgment)", name) for name in names)
    information = names == {"study", "year"} or any(part.strip().startswith("Char: ") for part in parts)
    return judged or information or any(mark <= names for mark in marks)


def _cochrane(files: Mapping[str, bytes], options: Options) -> Imported:
    """Cochrane packages, RevMan files and RevMan's study data by their own readers, which take a while to load."""
    from reweigh.exchange.revman import read as read_revman
    from reweigh.exchange.study_results import are_study_data, read_study_results

    return read_study_results(files, options) if are_study_data(files) else read_revman(files)


def _unpacked(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """Files with zip archives replaced by what is in them; a Cochrane package stays whole."""
    found: dict[str, bytes] = {}
    for name, data in files.items():
        if kind_of(data, name) != "zip":
            found[name] = data
            continue
        archive = zipfile.ZipFile(io.BytesIO(data))
        members = [one for one in archive.infolist() if not one.is_dir()]
        if not members or sum(one.file_size for one in members) > _LARGEST or any(one.flag_bits & 1 for one in members):
            found[name] = data
            continue
        inside = {one.filename: archive.read(one) for one in members}
        cochrane = any(is_cochrane(content, kind_of(content, one)) for one, content in inside.items())
        found |= {name: data} if cochrane else inside
    return found


def _joined(parts: Mapping[str, list[tuple[str, Imported]]], refused: list[str]) -> Imported:
    """One review of what the readers gave: results first, then judgements, references and the flow."""
    every = [one for kind in parts.values() for _, one in kind]
    problems = (*refused, *(p for one in every for p in one.problems))
    notes = [note for one in every for note in one.notes]
    cells = [cell for one in every for cell in one.cells]
    tables: dict[str, pd.DataFrame] = {}
    protocol: dict[str, object] = {}
    comments: dict[str, str] = {}
    for _, one in (*parts["data"], *parts["bias"], *parts["flow"]):
        for name, frame in one.tables.items():
            tables[name] = _stacked(tables[name], frame, name) if name in tables else frame
        for key, value in one.protocol.items():
            before = protocol.get(key)
            if isinstance(before, dict) and isinstance(value, Mapping) and key == "outcomes":
                protocol[key] = {**before, **value}
            elif isinstance(before, list) and key == "independent_comparisons":
                protocol[key] = [*before, *value]
            else:
                protocol.setdefault(key, value)
        comments = {**one.comments, **comments}
    results = bool({"arms", "contrasts"} & set(tables))
    if results and "risk_of_bias" in tables:
        tables, lost = _judged(tables)
        cells += lost
    for file, one in (*parts["studies"], *parts["references"]):
        if "studies" not in one.tables:
            continue
        references = one.tables["studies"]
        if "studies" in tables:
            code = "study_unmatched" if (file, one) in parts["studies"] else "reference_unmatched"
            tables["studies"], unmatched = merged(tables, references, file, code)
            cells += unmatched
            notes.append(
                f"{file}: {len(references) - len(unmatched)} of {len(references)} belong to studies of the tables"
            )
        else:
            tables["studies"] = references
    return Imported(tables, protocol, comments, tuple(cells), tuple(notes), tuple(problems))


def _stacked(first: pd.DataFrame, second: pd.DataFrame, name: str) -> pd.DataFrame:
    """Two tables as one; of a study that is in both, the first row stays, with its empty cells filled."""
    both = pd.concat([first, second], ignore_index=True).astype(object).fillna("")
    if name != "studies":
        return both
    return both.replace("", None).groupby("study_id", sort=False, as_index=False).first().astype(object).fillna("")


def _judged(tables: dict[str, pd.DataFrame]) -> tuple[dict[str, pd.DataFrame], list[Cell]]:
    """Judgements of studies that have results; the others are left out and listed, and so are their rows of studies."""
    used = {i for name in ("arms", "contrasts") if name in tables for i in tables[name]["study_id"]}
    bias, studies = tables["risk_of_bias"], tables["studies"]
    lost = bias.loc[~bias["study_id"].isin(used), "study_id"].drop_duplicates()
    labels = dict(zip(studies["study_id"], studies["label"], strict=True))
    cells = [Cell("risk_of_bias", 0, "", labels.get(one, one), "", "judgement_unmatched") for one in lost]
    kept = {"studies": studies[studies["study_id"].isin(used)], "risk_of_bias": bias[bias["study_id"].isin(used)]}
    return {**tables, **{name: frame.reset_index(drop=True) for name, frame in kept.items()}}, cells
