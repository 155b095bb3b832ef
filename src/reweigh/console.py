"""What the terminal says: a wrong configuration in one line, the headline of each summary at the end."""

from __future__ import annotations

import os
import re
import sys
import traceback
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path
from typing import Any

FORMATS = ("svg", "pdf", "png")
KEYS = ("reviews", "figure_formats", "as_of")
HEADLINE = "## What was pooled"


def prepare_jobs(source: Path) -> None:
    """Let scripts find the library without an installed copy, and keep each of them on one core.

    Scripts run in a Python of their own and inherit the environment.
    """
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(source), os.environ.get("PYTHONPATH", "")]))
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ.setdefault(name, "1")


@contextmanager
def logged(path: str | Path) -> Iterator[None]:
    """Write what stops a script to its log as well as to the terminal, and what it warns of once, in one line."""
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _once_and_plain(warnings.showwarning)
            yield
    except Exception:
        Path(path).write_text(traceback.format_exc(), encoding="utf-8")
        raise


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
            problems.append(f"config: {key} is missing")
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
    return "\n".join(problems)


def _near(value: str, known: Iterable[str]) -> str:
    close = [name for name in known if value.casefold() in name.casefold()] if value else []
    close = close or get_close_matches(value, list(known), n=1)
    return f" (did you mean {close[0]!r}?)" if close else ""


def print_summaries(reviews: Sequence[str]) -> None:
    """Print what was pooled in each review, from its summary.md, and where the plots lie."""
    for review in reviews:
        path = Path("results") / review / "summary.md"
        if not path.exists():
            continue
        text = path.read_text(encoding="utf-8")
        title = text.partition("\n")[0].removeprefix("# ")
        headline = text.partition(HEADLINE)[2].partition("\n## ")[0].strip()
        print(f"\n{title}\n{headline}\nForest plots: results/{review}/figures/forest/  Summary: {path}")
