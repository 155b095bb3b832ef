"""What a person says about foreign files: outcome, measure, arms, sheet, and which column is which."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from reweigh.risk_of_bias import Tool
from reweigh.tables.problems import did_you_mean

_KEYS = ("columns", "where", "arm", "role", "sum")
_ROLES = ("intervention", "control", "other")


@dataclass(frozen=True, slots=True)
class ColumnMap:
    """Which column of a foreign table is which: what a MAP.yaml says.

    `columns`: our name to theirs; a name with `{outcome}` stands for as many columns as there are outcomes. `where`:
    column to the values whose rows are read. `arm`: the column that tells the arms apart. `role`: a value of that
    column to intervention, control or other; rows of other values are left out. `sum`: whether the rows of one study
    and side are combined; a tuple names the studies for which.
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    where: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    arm: str = ""
    role: Mapping[str, str] = field(default_factory=dict)
    sum: bool | tuple[str, ...] = False


@dataclass(frozen=True, slots=True)
class Options:
    """Options of an import; what is empty is guessed, and said.

    `outcome`: id of the outcome (for a map with `{outcome}`: the one that is read). `measure`: effect measure of
    `reweigh.measures`. `model`: a preset. `arms`: labels of the experimental and of the control arm. `sheet`: sheet of
    a workbook, or data frame of an R file. `columns`: which column is which. `tools`: risk-of-bias tools by name.
    """

    outcome: str = ""
    measure: str = ""
    model: str = ""
    arms: tuple[str, str] | None = None
    sheet: str = ""
    columns: ColumnMap | None = None
    tools: Mapping[str, Tool] = field(default_factory=dict)

    def of(self, **other: Any) -> Options:
        """The same with other values."""
        return replace(self, **other)


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(str(v) for v in value) if isinstance(value, list) else (str(value),)


def read_map(content: bytes | str) -> ColumnMap:
    """The map of a MAP.yaml.

    Raises
    ------
    ValueError
        In a sentence, where it is no map of the keys columns, where, arm, role, sum.
    """
    try:
        raw: Any = YAML(typ="safe", pure=True).load(content)
    except (YAMLError, ValueError) as why:
        raise ValueError(f"the map of columns is no YAML: {' '.join(str(why).split())}") from why
    raw = raw or {}
    if not isinstance(raw, dict):
        raise ValueError("the map of columns has no keys; it may have " + ", ".join(_KEYS))
    for key in raw:
        if key not in _KEYS:
            hint = did_you_mean(str(key), _KEYS)
            raise ValueError(f"the map of columns has no key {key!r}{hint}; it may have {', '.join(_KEYS)}")
    for key in ("columns", "where", "role"):
        if not isinstance(raw.get(key, {}), dict):
            raise ValueError(f"`{key}` of the map of columns must have a line `name: value` for each name")
    role = {str(value): str(side).strip().lower() for value, side in raw.get("role", {}).items()}
    if wrong := next((side for side in role.values() if side not in _ROLES), None):
        raise ValueError(f"`role` of the map of columns: {wrong!r} is no side; write {', '.join(_ROLES)}")
    if role and not ("arm" in raw or "arm" in raw.get("columns", {})):
        raise ValueError("`role` of the map of columns needs `arm`: the column whose values it names")
    total = raw.get("sum", False)
    return ColumnMap(
        columns={str(ours): str(theirs) for ours, theirs in raw.get("columns", {}).items()},
        where={str(column): _texts(values) for column, values in raw.get("where", {}).items()},
        arm=str(raw.get("arm", "")),
        role=role,
        sum=total if isinstance(total, bool) else _texts(total),
    )
