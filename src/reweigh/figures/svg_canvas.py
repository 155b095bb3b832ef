"""matplotlib's SVG backend, as `savefig(backend=...)` takes it: a text of many figures is measured once."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from matplotlib.backends.backend_svg import FigureCanvasSVG, RendererSVG
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import text_to_path


@lru_cache(maxsize=50_000)
def _metrics(text: str, font: FontProperties, math: bool) -> tuple[float, float, float]:
    return text_to_path.get_text_width_height_descent(text, font, math)


class _Renderer(RendererSVG):
    def get_text_width_height_descent(self, s: str, prop: FontProperties, ismath: Any) -> tuple[float, float, float]:
        return _metrics(s, prop, ismath)


class FigureCanvas(FigureCanvasSVG):
    """What `savefig(backend="module://reweigh.figures.svg_canvas")` draws on; nothing of ours is a raster."""

    def print_svg(self, filename: Any, *, metadata: Any = None, **_: Any) -> None:
        """Draw the figure into a file that takes text."""
        dpi, self.figure.dpi = self.figure.dpi, 72
        width, height = self.figure.get_size_inches() * 72
        renderer: Any = _Renderer(width, height, filename, image_dpi=dpi, metadata=metadata)  # type: ignore[no-untyped-call]
        self.figure.draw(renderer)
        renderer.finalize()
