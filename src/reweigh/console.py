"""What the terminal says: a wrong configuration in one line, the headline of each summary at the end."""

from __future__ import annotations

import csv
import errno
import os
import re
import shlex
import sys
import traceback
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from reweigh.text.numbers import decimals_of, effect_text

FORMATS = ("svg", "pdf", "png")
KEYS = ("reviews", "figure_formats", "as_of", "corpus")
DEPTHS = ("tables", "core", "all")
HEADLINE = "## What was pooled"
#: What a script cannot help: a full disk or quota, a file system or file that may only be read.
_OF_THE_MACHINE = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM)
_SHOWN = 3  # notices of one rule in the terminal; flags.csv has all


def prepare_jobs(source: Path | None) -> None:
    """Let scripts find the library without an installed copy, keep each on one core, and let Ctrl-C end it in silence.

    Scripts run in a Python of their own and inherit the environment. `source` is the folder that holds the library;
    None: it is installed.
    """
    if source is not None:
        os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(source), os.environ.get("PYTHONPATH", "")]))
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ.setdefault(name, "1")
    os.environ["REWEIGH_JOB"] = "1"


@contextmanager
def logged(path: str | Path) -> Iterator[None]:
    """Write what stops a script to its log as well as to the terminal, and what it warns of once, in one line."""
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _once_and_plain(warnings.showwarning)
            yield
    except OSError as error:
        if error.errno not in _OF_THE_MACHINE:
            _log(path, traceback.format_exc())
            raise
        where = f": {error.filename}" if error.filename else ""
        said = f"{error.strerror}{where}\nWhat was finished is kept. Once that is mended, type the same command again."
        _log(path, said)
        print(f"\n{said}\n", file=sys.stderr)
        sys.exit(1)
    except Exception:
        _log(path, traceback.format_exc())
        raise


def _log(path: str | Path, said: str) -> None:
    with suppress(OSError):  # a full disk has no room for its own report
        Path(path).write_text(f"{said.rstrip()}\n", encoding="utf-8")


def _once_and_plain(show: Callable[..., None]) -> Callable[..., None]:
    """How warnings are shown: our own by their text alone, each once; others as Python does."""
    said: set[str] = set()

    def plain(message: Warning | str, category: type[Warning], *where: Any) -> None:
        if not category.__module__.startswith("reweigh"):
            show(message, category, *where)
        elif str(message) not in said:
            said.add(str(message))
            print(f"warning: {message}", file=sys.stderr)

    return plain


def listed(config: Mapping[str, Any], key: str) -> list[str]:
    """What a checked configuration lists under a key: one value is a list of one, none is an empty one."""
    value = config.get(key, [])
    return [value] if isinstance(value, str) else list(value)


def config_error(config: Mapping[str, Any], available: Sequence[str]) -> str:
    """Everything that is wrong with config.yaml, or an empty string.

    Parameters
    ----------
    config
        The configuration.
    available
        The folders under data/.
    """
    problems = [
        f"config: {key} is not a key{_near(key, KEYS)}; allowed: {', '.join(KEYS)}" for key in config if key not in KEYS
    ]
    for key, allowed, what in (
        ("reviews", available, "has no folder under data/"),
        ("figure_formats", FORMATS, "is not a figure format"),
    ):
        if key not in config:
            continue
        value = config[key]
        values = [value] if isinstance(value, str) else value
        if not isinstance(values, list) or not values:
            problems.append(f"config: {key} must be a list that is not empty; allowed: {', '.join(sorted(allowed))}")
            continue
        problems += [
            f"config: {key}: {one!r} {what}{_near(str(one), allowed)}; allowed: {', '.join(sorted(allowed))}"
            for one in values
            if one not in allowed
        ]
        if len(set(map(str, values))) < len(values):
            problems.append(f"config: {key} names one twice")
    if "as_of" in config and not re.fullmatch(r"(19|20)\d\d", str(config["as_of"])):
        problems.append(f"config: as_of: {config['as_of']!r} is not a year; allowed: four digits, e.g. 2018")
    problems += _corpus_problems(config.get("corpus", {}), available)
    return "\n".join(problems)


def _corpus_problems(corpus: Any, available: Sequence[str]) -> list[str]:
    """What is wrong with the key `corpus`, which `reweigh corpus` writes."""
    if not isinstance(corpus, Mapping):
        return ["config: corpus must be keys and values; `reweigh corpus` writes them"]
    allowed = ("batches", "depth", "important", "not_imported")
    problems = [
        f"config: corpus: {key} is not a key; allowed: {', '.join(allowed)}" for key in corpus if key not in allowed
    ]
    if (depth := corpus.get("depth", "tables")) not in DEPTHS:
        problems.append(f"config: corpus: depth: {depth!r} is no depth; allowed: {', '.join(DEPTHS)}")
    batches = corpus.get("batches", [])
    if not isinstance(batches, list) or not all(isinstance(one, list) for one in batches):
        return [*problems, "config: corpus: batches must be lists of reviews"]
    names = [str(name) for one in batches for name in one]
    missing = [name for name in names if name not in available]
    problems += [f"config: corpus: {name!r} has no folder under data/" for name in missing]
    if len(set(names)) < len(names):
        problems.append("config: corpus: batches name a review twice")
    important = corpus.get("important", {})
    for measure, bounds in important.items() if isinstance(important, Mapping) else [("", None)]:
        if not (isinstance(bounds, list) and len(bounds) == 2 and all(isinstance(x, int | float) for x in bounds)):
            problems.append(f"config: corpus: important: {measure}: {bounds!r} is not a pair of numbers")
    return problems


def _near(value: str, known: Iterable[str]) -> str:
    close = [name for name in known if value.casefold() in name.casefold()] if value else []
    close = close or get_close_matches(value, list(known), n=1)
    return f" (did you mean {close[0]!r}?)" if close else ""


def print_results(reviews: Sequence[str], since: float | None = None, *, many: str = "") -> None:
    """Print per review what was pooled, from how many rows, where the plots and reasons are, and what must be said.

    Of `many` reviews together (`corpus`, `gallery`) it is their summary. Last of all comes what went wrong since a time
    (seconds of the epoch; None: nothing did): every error report that a job wrote to its log, in full.
    """
    logs = [(path, path.stat()) for path in sorted(Path("logs").rglob("*.log"))]
    failed = [path for path, told in logs if since is not None and told.st_mtime >= since and told.st_size]
    for review in reviews:
        bad = any(path.is_relative_to(Path("logs") / review) for path in failed)
        if not bad and (Path("results") / review / "pooled.csv").exists():
            print("\n" + result_text(review))
    whole = Path("results") / f"{many}_summary.txt"
    if many and whole.exists():
        print("\n" + whole.read_text(encoding="utf-8").rstrip())
    for path in failed:
        print(f"\n--- {path}\n{path.read_text(encoding='utf-8', errors='replace').rstrip()}")
    if since is not None and not failed:
        print("\nNo job wrote an error report; Snakemake's own lines above say what stopped the run.")


def result_text(review: str, place: Path | None = None, whole: bool = True) -> str:
    """What a person wants to know of a review at the end of a run.

    Parameters
    ----------
    review
        Its name.
    place
        Its folder of results, where it is not results/<review> of this folder.
    whole
        Whether its summary and its page count; without them it is what a run of `core` has.
    """
    shown = Path("results") / review
    folder = place or shown
    summary, page = folder / "summary.md", folder / "report.html"
    pooled = folder / "pooled.csv"
    if whole and summary.exists() and summary.stat().st_mtime >= pooled.stat().st_mtime:
        text = summary.read_text(encoding="utf-8")
        title = text.partition("\n")[0].removeprefix("# ")
        headline = text.partition(HEADLINE)[2].partition("\n## ")[0].strip()
    else:
        title = review
        rows = _rows(pooled)
        main = dict(reversed([(row["analysis"], row) for row in rows if row["set"] == "main"]))
        headline = (
            "\n".join(_estimate(row) for row in rows if main.get(row["analysis"]) is row) or "- nothing was pooled"
        )
    fates = [row["status"] for row in _rows(folder / "rows.csv")]
    used = fates.count("chosen")
    plots = (folder / "figures" / "forest").is_dir()
    places = [f"Forest plots: {shown}/figures/forest/"] if plots else []
    places += [f"Page: {shown}/{page.name}"] if whole and page.exists() else []
    reasons = [f"{shown}/{name}" for name in ("exclusions.csv", "not_pooled.csv") if (folder / name).exists()]
    told = f"{len(fates)} rows: {used} used, {len(fates) - used} not"
    lines = [title, headline, f"{told}; why: {', '.join(reasons)}", *(["  ".join(places)] if places else [])]
    return "\n".join([*lines, *told_of(_rows(folder / "flags.csv"), f"{shown}/flags.csv")])


def told_of(flags: Sequence[Mapping[str, str]], where: str) -> list[str]:
    """Lines for the terminal: notices, those of one rule together, and the number of suspicious rows."""
    by_rule: dict[str, list[str]] = {}
    for row in flags:
        if row["kind"] == "notice":
            by_rule.setdefault(row["rule"], []).append(row["words"] + (f" ({row['file']})" if row["file"] else ""))
    lines = [
        f"Note: {'; '.join(said[:_SHOWN])}"
        + (f"; and {len(said) - _SHOWN} more in {where}" if len(said) > _SHOWN else "")
        for said in by_rule.values()
    ]
    suspicious = [row["rule"] for row in flags if row["kind"] == "flag"]
    return lines + ([f"Suspicious numbers: {len(suspicious)}, see {where}"] if suspicious else [])


def _estimate(row: Mapping[str, str]) -> str:
    numbers = [float(row[c] or "nan") for c in ("estimate_natural", "ci_lower_natural", "ci_upper_natural")]
    effect = effect_text(*numbers, decimals=decimals_of(row))
    return f"- {row['analysis']}: {row['measure']} {effect}; k = {row['k']}"


def _rows(path: Path) -> list[dict[str, str]]:
    if not path.exists():
        return []
    with path.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def locked(arguments: Sequence[str] = (), folder: Path = Path(".snakemake/locks")) -> str:
    """What to type where a run that was killed has left its lock, "" where there is none.

    `arguments` are those of this run, which the command repeats.
    """
    if not folder.is_dir() or not any(folder.iterdir()):
        return ""
    # Of a run that `reweigh run` started, the person typed something else.
    typed = os.environ.get("REWEIGH_COMMAND")
    again = typed or shlex.join(["snakemake", *arguments])
    options = ("--snakefile", "-s", "--directory", "-d")
    where = [one for before, one in zip(["", *arguments], arguments, strict=False) if {before, one} & {*options}]
    unlock = f"{typed} --unlock" if typed else shlex.join(["snakemake", *where, "--unlock"])
    return (
        "This folder is locked: another run is at work here, or one was killed. If none is at work, type\n"
        f"    {unlock} && {again}\n"
        "What was finished is kept, what was not is made again."
    )


def unwritable(folder: Path = Path()) -> str:
    """Why nothing can be run in a folder, and what to do, "" where a run can write what it must."""
    places = (folder / name for name in (".snakemake", "results", "work", "logs"))
    needed = dict.fromkeys(folder if not place.exists() else place for place in places)
    locked_up = [str(place.resolve()) for place in needed if place.name != "results" and not os.access(place, os.W_OK)]
    if not locked_up:
        return ""
    return (
        f"cannot write to {', '.join(locked_up)}: nothing was run.\n"
        "Give yourself the right to write there (chmod u+w), or copy the folder to a place of your own."
    )
