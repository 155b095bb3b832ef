"""Reading a YAML file that a person typed: what it holds, or every problem with its line, key and what is allowed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.scanner import RoundTripScanner

from reweigh.tables.problems import Problem, did_you_mean, nearest

LARGEST = 1_000_000
"""Bytes that a file may have, and values that it may hold once its aliases are written out; ours stay below 20,000."""

DEEPEST = 100
"""Lists and mappings in brackets that may stand within each other; ours stay below 10."""

_EXTRA = "is not a key of "

Kind = TypeVar("Kind", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Document:
    """A kind of YAML file: its name, what it is called, where its keys are explained."""

    file: str
    what: str
    docs: str

    def problem(self, message: str, allowed: str = "", line: int | None = None) -> Problem:
        """A problem of the file as a whole."""
        return Problem(self.file, line, "", "", message, allowed or f"see {self.docs}")

    def read(self, content: bytes, model: type[Kind]) -> tuple[Kind | None, Any, list[Problem]]:
        """What the file says, the file as it was typed (for `at`), and every problem: None where there is any."""
        raw, plain, problem = self._load(content)
        if problem is not None:
            return None, raw, [problem]
        try:
            return model.model_validate(plain), raw, []
        except ValidationError as error:
            schema = model.model_json_schema()
            found = [self._problem(raw, schema, one) for one in error.errors(include_url=False)]
            return None, raw, _one_each(found)

    def at(self, raw: Any, *path: str | int) -> tuple[int | None, str]:
        """Line and key of a place in a file as it was typed; what is not there is passed over."""
        line, steps, _ = _walk(raw, path, "")
        return line, ".".join(map(str, steps))

    def _load(self, content: bytes) -> tuple[Any, Any, Problem | None]:
        large = self.problem("is too large", f"at most {LARGEST:,} bytes or values")
        if len(content) > LARGEST:
            return None, None, large
        try:
            yaml = YAML(typ="rt", pure=True)
            yaml.Scanner = _Scanner
            raw = yaml.load(content.decode("utf-8-sig"))
            if _values(raw, {}) > LARGEST:
                return None, None, large
            plain = _plain(raw)
        except UnicodeDecodeError:
            return None, None, self.problem("is not UTF-8 text", "a YAML file in UTF-8")
        except RecursionError:
            return None, None, self.problem("is nested too deeply, or refers to itself", "a plain YAML file")
        except MarkedYAMLError as error:
            mark = error.problem_mark
            what = re.sub(r"\s+", " ", str(error.problem or "cannot be read"))
            line = mark.line + 1 if mark else None
            return None, None, self.problem(f"is not valid YAML: {what}", "valid YAML", line)
        except (YAMLError, ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            # What ruamel.yaml raises on odd keys, tags and numbers has no common class.
            what = re.sub(r"\s+", " ", str(error))[:200]
            return None, None, self.problem(f"is not valid YAML: {what}", "valid YAML")
        if not isinstance(raw, Mapping):
            return None, None, self.problem("holds no keys", f"a mapping; see {self.docs}")
        return raw, plain, None

    def _problem(self, raw: Any, schema: dict[str, Any], error: Any) -> Problem:
        line, path, node = _walk(raw, error["loc"], error["type"])
        value = "" if isinstance(node, (Mapping, list)) or error["type"] == "missing" else str(node)
        message = str(error["msg"]).removeprefix("Value error, ")
        message, _, allowed = message.partition("; allowed: ")
        allowed = allowed or f"see {self.docs}"
        if error["type"] == "extra_forbidden":
            # A key that is no text (1, or a list) is not found in the file as it was typed.
            key, above = str(error["loc"][-1]), path[:-1] if path[-1:] == [error["loc"][-1]] else path
            known = sorted({key for keys in _keys_at(schema, schema, above) for key in keys})
            message = f"{_EXTRA}{self.what}{did_you_mean(key, known)}"
            allowed = ", ".join(known)
        elif error["type"] == "missing":
            message, allowed = "is missing", "this key is required"
        elif node is None:
            expected = (error.get("ctx") or {}).get("expected")
            value, message = "", "is still to be filled in"
            allowed = str(expected or ("text" if error["type"] == "string_type" else allowed))
        elif error["type"] in ("literal_error", "enum"):
            allowed = str(error["ctx"]["expected"])
            options = re.findall(r"'([^']*)'", allowed)
            value = value or (str(path[-1]) if error["loc"][-1] == "[key]" else "")
            message = f"is not allowed{did_you_mean(value, options)}"
        return Problem(self.file, line, ".".join(str(p) for p in path), value, message, allowed)


def _one_each(problems: list[Problem]) -> list[Problem]:
    """One problem per mistake.

    A misspelt key is not missing as well; of the types that a value may have, the one that was meant speaks: the one
    whose complaint lies deepest, else the first.
    """
    found = {one.column: one for one in reversed(problems)}
    deeper = {key[:i] for key in found for i, sign in enumerate(key) if sign == "."}
    kept = [one for one in found.values() if one.column not in deeper]
    for parent in {one.column.rpartition(".")[0] for one in kept}:
        here = [one for one in kept if one.column.rpartition(".")[0] == parent]
        missing = {one.column.rpartition(".")[2]: one for one in here if one.message == "is missing"}
        for extra in (one for one in here if one.message.startswith(_EXTRA)):
            meant = nearest(extra.column.rpartition(".")[2], [*missing], 0.6) or next(iter(missing), None)
            if meant is not None:
                kept.remove(missing.pop(meant))
                hinted = replace(extra, message=f'{extra.message.partition(" (did")[0]} (did you mean "{meant}"?)')
                kept[kept.index(extra)] = hinted
    # An alias repeats its anchor's mistake: it stands in one line only.
    once = {(one.row, one.value, one.message, one.column.rpartition(".")[2]): one for one in reversed(kept)}
    return sorted(once.values(), key=lambda one: one.row or 0)


class _Scanner(RoundTripScanner):
    """Stops at brackets that are nested too deeply: the time that they take grows with the square of their depth."""

    def fetch_flow_collection_start(self, TokenClass: Any, to_push: str) -> None:
        if self.flow_level >= DEEPEST:
            raise RecursionError
        super().fetch_flow_collection_start(TokenClass, to_push)


def _values(node: Any, known: dict[int, int]) -> int:
    """How many values a node holds once its aliases are written out; each node is counted once."""
    if not isinstance(node, (Mapping, list)):
        return 1
    if id(node) not in known:
        below = node.values() if isinstance(node, Mapping) else node
        known[id(node)] = 1 + sum(_values(value, known) for value in below)
    return known[id(node)]


def _plain(node: Any) -> Any:
    """Plain dictionaries and lists."""
    if isinstance(node, Mapping):
        return {str(key): _plain(value) for key, value in node.items()}
    if isinstance(node, list):
        return [_plain(value) for value in node]
    return node


def _walk(raw: Any, steps: tuple[str | int, ...], kind: str) -> tuple[int | None, list[str | int], Any]:
    """Line, path and value of a place; a union adds the tried type's name, so only what the file has is kept."""
    path: list[str | int] = []
    line: int | None = None
    node: Any = raw
    for step in steps:
        if isinstance(node, CommentedMap) and step in node:
            line = node.lc.key(step)[0] + 1
        elif isinstance(node, CommentedSeq) and isinstance(step, int) and step < len(node):
            line = node.lc.item(step)[0] + 1
        elif step == steps[-1] and kind == "missing":
            path.append(step)
            break
        else:
            continue
        path.append(step)
        node = node[step]
    return line, path, node


def _keys_at(schema: dict[str, Any], node: Any, path: list[str | int]) -> Iterator[list[str]]:
    if "$ref" in node:
        node = schema["$defs"][node["$ref"].rsplit("/", 1)[-1]]
    for option in node.get("anyOf", ()):
        yield from _keys_at(schema, option, path)
    if not path:
        if "properties" in node:
            yield list(node["properties"])
        return
    step, rest = path[0], path[1:]
    if isinstance(step, int):
        if isinstance(node.get("items"), dict):
            yield from _keys_at(schema, node["items"], rest)
    elif step in node.get("properties", {}):
        yield from _keys_at(schema, node["properties"][step], rest)
    else:
        for child in (node.get("additionalProperties"), *node.get("patternProperties", {}).values()):
            if isinstance(child, dict):
                yield from _keys_at(schema, child, rest)
