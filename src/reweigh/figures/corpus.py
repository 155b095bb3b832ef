"""What a corpus answers, drawn: the share of each kind by the number of trials and by measure."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes

from reweigh.corpus.answers import Answer
from reweigh.figures.panels import panels
from reweigh.figures.style import INK, MUTED, SMALL_SIZE, TEXT_SIZE, RecordFigure, font
from reweigh.text.numbers import whole

#: Kinds in their order, from what changes most to what does not; told apart by lightness, too.
COLOURS = ("#1f4e79", "#c76b1f", "#8db3d9", "#e3c9a8", "#5a5a5a", "#b8b8b8", "#7a9a6a", "#d9d7cf", "#a98bb5")
SAME = "#e6e4dd"
#: Heights in points: of a bar with its room, of a line that says what a colour is.
ROW, LEGEND = 16.0, 11.5
HEADS = {"k": "By the number of trials", "measure": "By effect measure"}


def draw_answer(answer: Answer) -> RecordFigure:
    """A bar per group, its kinds as shares of 100 percent; `draw_answer(answer).description` says them in words."""
    groups = {by: answer.counts[(answer.counts["by"] == by) & (answer.counts["asked"] > 0)] for by in HEADS}
    most = max(len(one) for one in groups.values())
    used = [kind for kind in answer.kinds if answer.counts[kind].sum()]
    colours = _colours(used)
    figure, axes = panels(
        answer.question, "The number behind a bar is that of its analyses.", count=2, width=200.0,
        height=ROW * most + LEGEND * len(used) + 6.0, room=30.0,
    )  # fmt: skip
    for ax, (by, head) in zip(axes, HEADS.items(), strict=True):
        _bars(ax, groups[by], used, colours, head, most, len(used))
    handles, names = axes[0].get_legend_handles_labels()
    axes[0].legend(
        handles, [answer.kinds[name] for name in names], loc="lower left", bbox_to_anchor=(-0.02, 0.0), frameon=False,
        prop=font(SMALL_SIZE), labelcolor=INK, handlelength=1.0, handleheight=1.0, borderpad=0.0, borderaxespad=0.0,
        labelspacing=0.45,
    )  # fmt: skip
    shown = answer.counts[answer.counts["asked"] > 0]
    said = (
        f"{row['group']}: " + ", ".join(f"{whole(row[kind])} {answer.kinds[kind]}" for kind in used if row[kind])
        for row in shown.to_dict("records")
    )
    figure.description = f"{answer.answer}. {'; '.join(said)}."
    return figure


def _colours(used: list[str]) -> dict[str, str]:
    changing = [kind for kind in used if kind not in ("none", "no", "agrees")]
    return dict.fromkeys(used, SAME) | dict(zip(changing, COLOURS, strict=False))


def _bars(
    ax: Axes, rows: pd.DataFrame, kinds: list[str], colours: dict[str, str], head: str, most: int, below: int
) -> None:
    left = pd.Series(0.0, index=rows.index)
    places = list(range(len(rows)))
    for kind in kinds:
        share = 100 * rows[kind] / rows["asked"]
        ax.barh(places, share, left=left, height=0.7, color=colours[kind], edgecolor="white", lw=0.5, label=kind)
        left = left + share
    # Room below the bars for what the colours are.
    ax.set_ylim(most - 0.4 + (below * LEGEND + 6.0) / ROW, -0.6)
    ax.set_xlim(0, 110)
    ax.set_yticks(places, [str(x) for x in rows["group"]], fontproperties=font(TEXT_SIZE))
    ax.set_xticks([0, 25, 50, 75, 100], ["0%", "25%", "50%", "75%", "100%"], fontproperties=font(SMALL_SIZE))
    ax.xaxis.tick_top()
    ax.tick_params(length=0)
    ax.spines[["left", "bottom", "top"]].set_visible(False)
    ax.set_title(head, fontproperties=font(TEXT_SIZE, "bold"), color=INK, loc="left", pad=13)
    for place, asked in zip(places, rows["asked"], strict=True):
        ax.annotate(
            whole(asked), (100, place), xytext=(4, 0), textcoords="offset points", va="center", color=MUTED,
            fontproperties=font(SMALL_SIZE), annotation_clip=False,
        )  # fmt: skip
