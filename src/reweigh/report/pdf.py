"""A printed page whose bytes do not say when it was printed."""

from __future__ import annotations

import re

#: What the dates and identifiers of a PDF become; as long as what they replace, so that every offset stays.
_DATE = re.compile(rb"(/(?:CreationDate|ModDate) \(D:)(\d{14})")


def undated(pdf: bytes) -> bytes:
    """The PDF with its dates set to the first of January 1980."""
    return _DATE.sub(lambda found: found[1] + b"19800101000000", pdf)
