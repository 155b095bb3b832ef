"""Hold the coverage that pytest-cov wrote to its floors; prints the files that miss most lines."""

import json
import sys
from pathlib import Path

LINES, BRANCHES = 96.0, 90.0


def main(path: str) -> int:
    """Print the two shares; 1 where one is below its floor."""
    found = json.loads(Path(path).read_text(encoding="utf-8"))
    total = found["totals"]
    lines = 100 * total["covered_lines"] / total["num_statements"]
    branches = 100 * total["covered_branches"] / total["num_branches"]
    worst = sorted(found["files"].items(), key=lambda one: -one[1]["summary"]["missing_lines"])[:10]
    for name, one in worst:
        print(f"  {one['summary']['missing_lines']:4d} lines of {name} are not run: {one['missing_lines'][:12]}")
    print(f"coverage: lines {lines:.1f}% (floor {LINES:g}%), branches {branches:.1f}% (floor {BRANCHES:g}%)")
    return int(lines < LINES or branches < BRANCHES)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
