"""Size and readiness of the page of a wide review, as `snakemake` builds it: benchmarks/README.md.

Builds a made-up review of 30 outcomes by 6 windows with 40 trials, eight in each cell, in a temporary folder on one
core (or takes a report.html that is given), and prints what its page consists of and how long a Chromium takes.
"""

import csv
import re
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
OUTCOMES, WINDOWS, TRIALS, IN_CELL = 30, 6, 40, 8
REVIEW, PAGE = "wide", "results/wide/report.html"
TIMES = """(() => {
  const [one] = performance.getEntriesByType('navigation');
  return [one.domContentLoadedEventEnd, one.loadEventEnd];
})()"""
PROTOCOL = """\
title: {outcomes} made-up outcomes
question: {{population: Adults, intervention: Drug, comparator: Placebo}}
words: {{intervention: drug, control: placebo}}
table_source: {{arms: made up from a seed}}
outcomes:
{each}
windows:
{window}
categories: {{setting: {{hospital: Hospital, home: Home, mixed: Mixed}}}}
subgroups: [setting]
models: [cochrane, revman-classic]
"""


def made_up(folder: Path, seed: int = 1) -> None:
    """The files of the review: half of the outcomes with means, half with events."""
    rng = np.random.default_rng(seed)
    means = "{{label: Score {0}, type: continuous, measure: SMD, better: lower, scale: [0, 100]}}"
    events = "{{label: Event {0}, type: binary, measure: RR, better: lower}}"
    each = [f"  outcome_{i}: {(means if i % 2 else events).format(i)}" for i in range(1, OUTCOMES + 1)]
    window = [f"  week_{w}: {{label: Week {w}, text: [week {w}]}}" for w in range(1, WINDOWS + 1)]
    studies, arms = [], []
    for t in range(TRIALS):
        same = {"study_id": f"t{t:02}", "label": f"Made-up {1980 + t} ({t})"}
        studies.append(same | {"year": 1980 + t, "setting": ("hospital", "home", "mixed")[t % 3]})
    for i in range(1, OUTCOMES + 1):
        for w in range(1, WINDOWS + 1):
            effect = rng.normal(-4, 3)
            for t in rng.choice(TRIALS, IN_CELL, replace=False):
                own = {"study_id": f"t{t:02}", "outcome": f"outcome_{i}", "timepoint": f"week {w}"}
                for role, arm, shift in (("intervention", "drug", effect), ("control", "placebo", 0.0)):
                    n = int(rng.integers(20, 200))
                    row = own | {"role": role, "arm": arm, "n": n}
                    if i % 2:
                        sd = round(float(rng.uniform(18, 24)), 1)
                        mean = round(float(50 + shift + rng.normal(0, sd / np.sqrt(n) + 2)), 1)
                        row |= {"mean": mean, "sd": sd, "scale_min": 0, "scale_max": 100}
                    else:
                        row |= {"events": int(rng.binomial(n, np.clip(0.3 + shift / 100, 0.02, 0.9)))}
                    arms.append(row)
    folder.mkdir(parents=True)
    text = PROTOCOL.format(outcomes=OUTCOMES, each="\n".join(each), window="\n".join(window))
    (folder / "review.yaml").write_text(text)
    for name, rows in (("studies", studies), ("arms", arms)):
        with (folder / f"{name}.csv").open("w", newline="") as file:
            writer = csv.DictWriter(file, list(dict.fromkeys(key for row in rows for key in row)))
            writer.writeheader()
            writer.writerows(rows)


def parts(text: str) -> dict[str, int]:
    """Bytes of what the page consists of."""
    found = {}
    for kind, name, content in re.findall(
        r"<script( type=\"[^\"]*\" id=\"([^\"]*)\")?>(.*?)</script>", text, re.DOTALL
    ):
        label = f"data: {name}" if kind else "scripts"
        found[label] = found.get(label, 0) + len(content.encode())
    for label, pattern in (
        ("drawings", r"<svg.*?</svg>"),
        ("notes and worked pages", r"<template.*?</template>"),
        ("styles and font", r"<style.*?</style>"),
    ):
        found[label] = sum(len(one.encode()) for one in re.findall(pattern, text, re.DOTALL))
    return found | {"all else": len(text.encode()) - sum(found.values()), "whole page": len(text.encode())}


def ready(page: Path, times: int = 5) -> tuple[float, float]:
    """Median milliseconds until a headless Chromium has run the page's scripts, and until it has loaded it."""
    sys.path.insert(0, str(ROOT / "tests"))
    from report.browser import Browser, find_chromium

    browser, found = Browser(find_chromium()), []
    browser.size(1440)
    for _ in range(times):
        browser.open("about:blank")
        browser.open(page.resolve().as_uri())
        browser.run("new Promise((done) => setTimeout(done, 50))")  # the end of the load event is known after it
        found.append(browser.run(TIMES))
    browser.close()
    scripts, loaded = (statistics.median(column) for column in zip(*found, strict=True))
    return scripts, loaded


def report(page: Path) -> None:
    """Print the page's parts and times."""
    print(f"| {page.parent.name} | MB |\n|---|---|")
    for label, size in sorted(parts(page.read_text(encoding="utf-8")).items(), key=lambda one: one[1]):
        print(f"| {label} | {size / 1e6:.2f} |")
    scripts, loaded = ready(page)
    print(f"\nScripts have run after {scripts:.0f} ms, the page is loaded after {loaded:.0f} ms.\n")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        for name in sys.argv[1:]:
            report(Path(name))
        sys.exit()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        made_up(folder / "data" / REVIEW)
        command = [sys.executable, "-m", "snakemake", "--snakefile", ROOT / "Snakefile", "--cores", "1", PAGE]
        subprocess.run(command, cwd=folder, check=True, capture_output=True)
        report(folder / PAGE)
