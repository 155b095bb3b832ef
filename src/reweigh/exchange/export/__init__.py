"""A review out: the files of other programmes, by the name of their format."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from reweigh.exchange.export.lists import prisma, ris, robvis
from reweigh.exchange.export.revman import revman_web
from reweigh.exchange.export.scripts import meta, metafor
from reweigh.exchange.export.source import Exported, Source, load

FORMATS: Mapping[str, Callable[[Source], Exported]] = {
    "revman-web": revman_web,
    "metafor": metafor,
    "meta": meta,
    "ris": ris,
    "robvis": robvis,
    "prisma": prisma,
}
"""Name of a format, and what makes its files."""

__all__ = ["FORMATS", "Exported", "Source", "load"]
