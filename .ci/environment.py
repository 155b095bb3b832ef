"""Print environment.yml for conda users: the versions of requirements.lock that apply to the Python it names."""

import re
from pathlib import Path

from packaging.markers import Marker

ROOT = Path(__file__).resolve().parent.parent
PYTHON = "3.12"


def pins(lock: str, python: str = PYTHON, platform: str = "linux") -> list[str]:
    """Pins `name==version` of a lock whose markers hold for this Python and platform."""
    where = {
        "python_version": python,
        "python_full_version": f"{python}.0",
        "sys_platform": platform,
        "platform_machine": "x86_64",
        "platform_python_implementation": "CPython",
        "implementation_name": "cpython",
    }
    found = re.findall(r"^([A-Za-z0-9._-]+(?:\[[a-z,]+\])?==\S+)(?: ; ([^\\\n]+))?", lock, flags=re.MULTILINE)
    return [pin for pin, marker in found if not marker or Marker(marker.strip()).evaluate(where)]


def environment(lock: str) -> str:
    """Text of environment.yml."""
    head = [
        "# Made from requirements.lock by `make lock`; a test holds it to the lock.",
        "name: reweigh",
        "channels: [conda-forge, nodefaults]",
        "dependencies:",
        f"  - python={PYTHON}",
        "  - pip",
        "  - pip:",
    ]
    return "\n".join([*head, *(f"      - {pin}" for pin in pins(lock))]) + "\n"


if __name__ == "__main__":
    print(environment((ROOT / "requirements.lock").read_text()), end="")
