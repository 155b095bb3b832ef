"""Time `reweigh corpus` on a CSV of data rows of many reviews: from clean, nothing to do, one review changed, copies.

    .venv/bin/python benchmarks/corpus.py data-rows.csv.gz [core]

With `core` the forest plots are drawn, too. Copies: one review under many names, 30 and as many as the file has.
"""

import gzip
import io
import re
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd


def run(rows: Path, into: Path, depth: str) -> float:
    """Seconds of the command."""
    start = time.perf_counter()
    command = [sys.executable, "-m", "reweigh", "corpus", str(rows), "--into", str(into), "--depth", depth]
    done = subprocess.run([*command, "--cores", "2"], capture_output=True, text=True, check=False)
    if "Traceback" in done.stderr:
        sys.exit(done.stderr)
    return time.perf_counter() - start


def change(into: Path) -> None:
    """Add 1 to the n of the first arm of a review."""
    path = next(iter(sorted(into.glob("data/*/arms.csv"))))
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    at = table.index[table["n"] != ""][0]
    table.loc[at, "n"] = str(int(table.loc[at, "n"]) + 1)
    path.write_text(table.to_csv(index=False), encoding="utf-8")


def copies(table: pd.DataFrame, count: int) -> bytes:
    """The review of middling size under so many names."""
    sizes = table["Review"].value_counts()
    one = table[table["Review"] == sizes.index[len(sizes) // 2]]
    parts = [one.assign(Review=f"CD{900000 + i:06d}") for i in range(count)]
    return pd.concat(parts).to_csv(index=False).encode("utf-8")


if __name__ == "__main__":
    source = Path(sys.argv[1])
    depth = sys.argv[2] if len(sys.argv) > 2 else "tables"
    content = source.read_bytes()
    content = gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content
    table = pd.read_csv(io.BytesIO(content), dtype=str, keep_default_na=False)
    reviews = table["Review"].nunique()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rows = folder / "data-rows.csv"
        rows.write_bytes(content)
        print(f"| {reviews} reviews, `{depth}`, from clean | {run(rows, folder / 'all', depth):.0f} s |")
        most = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
        print(f"| largest process | {most:.0f} MB |")
        page = folder / "all" / "results" / "corpus.html"
        print(f"| corpus.html | {page.stat().st_size / 1e6:.1f} MB |")
        print(f"| nothing to do | {run(rows, folder / 'all', depth):.1f} s |")
        found = re.findall(r"^(.*sum to 100)$", (page.parent / "corpus_summary.txt").read_text(), re.M)
        change(folder / "all")
        print(f"| one review changed | {run(rows, folder / 'all', depth):.1f} s |")
        print("\n".join(found))
        if depth == "tables":
            times = {}
            for count in (30, reviews):
                rows.write_bytes(copies(table, count))
                times[count] = run(rows, folder / f"copies{count}", depth) / count
                print(f"| {count} copies of one review | {times[count]:.2f} s per review |")
            print(f"| ratio | {times[reviews] / times[30]:.2f} |")
