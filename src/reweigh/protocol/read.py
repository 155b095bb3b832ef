"""Reading `review.yaml`: the protocol, or every problem with its line, key, value and what is allowed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from reweigh.protocol.model import Protocol
from reweigh.tables.problems import Problem, did_you_mean, format_report


def load_checked(content: bytes) -> Protocol:
    """A protocol that the check stage has passed; raises ValueError with its problems where it has not."""
    protocol, problems = load_protocol(content)
    if protocol is None:
        raise ValueError(format_report(problems, "review"))
    return protocol


def load_protocol(content: bytes | None, name: str = "review.yaml") -> tuple[Protocol | None, list[Problem]]:
    """Read a protocol.

    Parameters
    ----------
    content
        The bytes of `review.yaml`; None where there is no such file.
    name
        How the file is called in the problems.

    Returns
    -------
    The protocol, or None and every problem found: line, key, value, what is wrong, what is allowed.
    """
    if content is None:
        return None, [Problem(name, None, "", "", "is missing", "a protocol; copy one from another review under data/")]
    yaml = YAML(typ="rt", pure=True)
    try:
        raw = yaml.load(content.decode("utf-8-sig"))
    except UnicodeDecodeError:
        return None, [Problem(name, None, "", "", "is not UTF-8 text", "a YAML file in UTF-8")]
    except MarkedYAMLError as error:
        mark = error.problem_mark
        what = re.sub(r"\s+", " ", str(error.problem or "cannot be read"))
        return None, [
            Problem(name, mark.line + 1 if mark else None, "", "", f"is not valid YAML: {what}", "valid YAML")
        ]
    except (YAMLError, ValueError) as error:
        what = re.sub(r"\s+", " ", str(error))
        return None, [Problem(name, None, "", "", f"is not valid YAML: {what}", "valid YAML")]
    if not isinstance(raw, Mapping):
        return None, [Problem(name, None, "", "", "holds no keys", "a mapping with title, question, outcomes …")]
    try:
        return Protocol.model_validate(_plain(raw)), []
    except ValidationError as error:
        schema = Protocol.model_json_schema()
        problems = [_problem(name, raw, schema, one) for one in error.errors(include_url=False)]
        return None, list(dict.fromkeys(problems))


def _plain(node: Any) -> Any:
    if isinstance(node, Mapping):
        return {str(key): _plain(value) for key, value in node.items()}
    if isinstance(node, list):
        return [_plain(value) for value in node]
    return node


def _problem(name: str, raw: Any, schema: dict[str, Any], error: Any) -> Problem:
    # A union adds the tried type's name to the location: keep only what the file itself has.
    path: list[str | int] = []
    line: int | None = None
    node: Any = raw
    for step in error["loc"]:
        if isinstance(node, CommentedMap) and step in node:
            line = node.lc.key(step)[0] + 1
        elif isinstance(node, CommentedSeq) and isinstance(step, int) and step < len(node):
            line = node.lc.item(step)[0] + 1
        elif step == error["loc"][-1] and error["type"] == "missing":
            path.append(step)
            break
        else:
            continue
        path.append(step)
        node = node[step]
    value = "" if isinstance(node, (Mapping, list)) or error["type"] == "missing" else str(node)
    message = str(error["msg"]).removeprefix("Value error, ")
    message, _, allowed = message.partition("; allowed: ")
    allowed = allowed or "see docs/protocol.md"
    if error["type"] == "extra_forbidden":
        known = sorted({key for keys in _keys_at(schema, schema, path[:-1]) for key in keys})
        message = f"is not a key of the protocol{did_you_mean(str(path[-1]), known)}"
        allowed = ", ".join(known)
    elif error["type"] == "missing":
        message, allowed = "is missing", "this key is required"
    elif error["type"] in ("literal_error", "enum"):
        allowed = str(error["ctx"]["expected"])
        options = re.findall(r"'([^']*)'", allowed)
        message = f"is not allowed{did_you_mean(value, options)}"
    return Problem(name, line, ".".join(str(p) for p in path), value, message, allowed)


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
