"""Every stage from the check to the page in one process: the scripts of the workflow themselves, run over a folder.

What goes into a script and comes out of it stands in the rules (workflow/rules/*.smk), which are read as text, so that
nothing is said twice. A script fails here as it does there: by an exception, or by SystemExit.
"""

from __future__ import annotations

import contextlib
import re
import runpy
from collections.abc import Mapping
from functools import cache, lru_cache
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import patch

from reweigh.protocol.read import load_written
from reweigh.report.inputs import installed
from reweigh.risk_of_bias import read_tools
from reweigh.workbooks import books_of

ROOT = Path(__file__).parent.parent
TABLES = ("studies.csv", "arms.csv", "contrasts.csv", "risk_of_bias.csv", "published.csv", "flow.csv")
STAGES = (
    "check", "effects", "pool", "robustness", "sequential", "certainty", "claims", "reproduction", "figures", "report",
)  # fmt: skip
#: What draws; each gives nothing where a run is without figures. All are asked for by the scripts when they run.
DRAWERS = (
    "figures.forest.catalogue.plot_ids", "figures.forest.catalogue.journal_plot_ids", "figures.further.sweeps",
    "figures.further.bubbles", "figures.robustness.robustness_figures", "figures.sequential_plot.sequential_figures",
    "figures.risk_of_bias.risk_of_bias_figures", "figures.timeline.timelines",
)  # fmt: skip


#: What every script reads again is read once here.
ONCE = {
    "protocol.read.load_written": lru_cache(4)(load_written), "risk_of_bias.read_tools": cache(read_tools),
    "report.inputs.installed": cache(installed),
}  # fmt: skip


class Named(SimpleNamespace):
    """Named files of a rule: by attribute, by name, or the first one by 0."""

    def __getitem__(self, name: str | int) -> object:
        return [*vars(self).values()][name] if isinstance(name, int) else getattr(self, name)


@cache
def files_of(rule: str) -> dict[str, dict[str, str]]:
    """`input` and `output` of a rule: name to what the rule says of it."""
    text = next(
        found.group(1)
        for path in sorted((ROOT / "workflow" / "rules").glob("*.smk"))
        for found in [re.search(rf"^rule {rule}:\n(.*?)(?=^rule |\Z)", path.read_text(), re.M | re.S)]
        if found
    )
    blocks = dict(re.findall(r"^    (input|output):\n((?:        .*\n|\n)*)", text, re.M))
    return {
        kind: {name: " ".join(said.split()) for name, said in re.findall(r"^        (\w+)=((?:.|\n(?!        \w))*)", block, re.M)}
        for kind, block in blocks.items()
    }  # fmt: skip


def place(said: str, folder: Path, review: str) -> object:
    """The file, or the files, that a rule names."""
    data = folder / "data" / review.partition("/")[0]
    texts = re.findall(r'"([^"]+)"', said)
    if "review_files" in said:
        texts = ["review.yaml", *TABLES]
    if "review_files" in said or "data_files" in said:
        return [str(data / name) for name in (*texts, *books_of(texts)) if (data / name).exists()]
    if said.startswith("archives"):
        return sorted(map(str, data.glob("*.zip")))
    if said.startswith("shown_table"):
        return str(folder / "results" / review / texts[0])
    if said.startswith("shown_figures"):
        return str(folder / "results" / review / "figures" / texts[0])
    if said.startswith("TOOLS"):
        return str(ROOT / "data" / "risk_of_bias_tools.yaml")
    return str(folder / texts[0].replace("{review}", review).replace("{whole}/as_of/{year}", review).replace("{whole}", review.partition("/")[0]))  # fmt: skip


def stage(rule: str, folder: Path, review: str) -> None:
    """Run the script of one rule."""
    named = {
        kind: Named(**{n: place(s, folder, review) for n, s in files.items() if not s.startswith("library")})
        for kind, files in files_of(rule).items()
    }
    for path in vars(named["output"]).values():
        Path(str(path)).parent.mkdir(parents=True, exist_ok=True)
    data = folder / "data" / review.partition("/")[0]
    parameters = SimpleNamespace(formats=["svg"], journals=True, names=sorted(path.name for path in data.iterdir()))
    wildcards = SimpleNamespace(review=review, year=review.rpartition("/")[2])
    log = folder / f"{rule}.log"
    job = SimpleNamespace(rule=rule, params=parameters, wildcards=wildcards, log=[str(log)], **named)
    script = {"as_of": "as_of"}.get(rule, rule)
    runpy.run_path(str(ROOT / "scripts" / f"{script}.py"), {"snakemake": job}, "__main__")


def build(
    files: Mapping[str, bytes], folder: Path, *, review: str = "made", figures: bool, as_of: int | None = None
) -> Path:
    """Build a review from its files, all the way to the page; its folder of results.

    Parameters
    ----------
    files
        File name to bytes.
    figures
        Whether figures are drawn; without them the page has none, too.
    as_of
        Also build it as of this year: the folder is then that of the year.
    """
    data = folder / "data" / review
    data.mkdir(parents=True)
    for name, content in files.items():
        (data / name).write_bytes(content)
    with contextlib.ExitStack() as undrawn:
        for name, once in ONCE.items():
            undrawn.enter_context(patch(f"reweigh.{name}", once))
        for name in () if figures else DRAWERS:
            undrawn.enter_context(patch(f"reweigh.{name}", lambda *_, **__: []))
        if not figures:
            undrawn.enter_context(patch("reweigh.figures.claims.claim_figure", lambda *_: None))
        for rule in STAGES:
            stage(rule, folder, review)
        if as_of is not None:
            review = f"{review}/as_of/{as_of}"
            for rule in ("as_of", *STAGES[1:]):
                stage(rule, folder, review)
    return folder / "results" / review
