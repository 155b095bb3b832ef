"""A page printed by Chromium, whose bytes do not say when it was printed."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
#: What the dates and identifiers of a PDF become; as long as what they replace, so that every offset stays.
_DATE = re.compile(rb"(/(?:CreationDate|ModDate) \(D:)(\d{14})")


def undated(pdf: bytes) -> bytes:
    """The PDF with its dates set to the first of January 1980."""
    return _DATE.sub(lambda found: found[1] + b"19800101000000", pdf)


def print_page(html: Path, browser: str | None = None) -> bytes:
    """Bytes of the PDF that a Chromium or Chrome prints of a page; the same page gives the same bytes.

    Raises
    ------
    RuntimeError
        If no browser is found, or it prints nothing.
    """
    browser = browser or next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if browser is None:
        raise RuntimeError(f"the PDF needs Chromium or Chrome; looked for: {', '.join(BROWSERS)}")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        target = Path(folder) / "report.pdf"
        command = [browser, "--headless=new", "--disable-gpu", "--no-pdf-header-footer", f"--print-to-pdf={target}"]
        command += ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
        command += [f"--user-data-dir={folder}/profile", html.resolve().as_uri()]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
        if not target.exists():
            raise RuntimeError(f"{browser} printed nothing:\n{done.stderr}")
        return undated(target.read_bytes())
