"""What pydantic found, in the words of the person who has to mend it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from deploy.errors import Finding
from deploy.inventory.fields import FieldError
from deploy.inventory.hints import choose, nearest
from deploy.inventory.source import Node

_EXPECTED: Mapping[str, str] = {
    "string_type": "text",
    "int_type": "a whole number",
    "tuple_type": "a list",
    "mapping_type": "a mapping",
    "model_type": "a mapping",
}
_LIMITS: Mapping[str, str] = {"greater_than_equal": "at least {ge}", "less_than_equal": "at most {le}"}

Path = tuple[str | int, ...]


def problems(
    error: ValidationError, model: type[BaseModel], node: Node, name: str, beside: Iterable[str] = ()
) -> Iterator[Finding]:
    """One finding for each thing that pydantic refuses.

    Args:
        error: what it refuses.
        model: the model that was wanted.
        node: where the values stand.
        name: what the whole is called, such as ``platform``.
        beside: keys that stand beside the model's own; one of them may be meant to be one of its own.
    """
    details = error.errors()
    misspelt = {*_meant(details, model), *((nearest(key, model.model_fields),) for key in beside)}
    for detail in details:
        if detail["type"] != "missing" or detail["loc"] not in misspelt:
            words = _words(detail, _owner(model, detail["loc"]), name)
            yield Finding(node.at(*detail["loc"]).where, *words)


def _meant(details: Iterable[ErrorDetails], model: type[BaseModel]) -> Iterator[Path]:
    """Keys that are there, but misspelt: they are not missing as well."""
    for detail in details:
        if detail["type"] == "extra_forbidden":
            *parents, key = detail["loc"]
            yield (*parents, nearest(str(key), _owner(model, detail["loc"]).model_fields))


def _words(detail: ErrorDetails, owner: type[BaseModel], name: str) -> tuple[str, str]:
    kind, value, context = detail["type"], detail["input"], detail.get("ctx", {})
    full, parent = _dotted(name, detail["loc"]), _dotted(name, detail["loc"][:-1])
    key = str(detail["loc"][-1]) if detail["loc"] else ""
    if isinstance(wrong := context.get("error"), FieldError):
        return f"{full}: {wrong.what}", wrong.remedy
    if kind == "extra_forbidden":
        return f"unknown key {key!r} in {parent}", choose(key, owner.model_fields)
    if kind == "missing":
        return f"{parent} lacks {key!r}", _add(key, owner.model_fields[key])
    if kind == "literal_error":
        return f"{full} cannot be {value!r}", choose(value, get_args(owner.model_fields[key].annotation))
    limit = _LIMITS.get(kind, "").format(**context)
    expected = _EXPECTED.get(kind, limit)
    remedy = "put it in quotes" if isinstance(value, int | float) and not limit else "see docs/reference/inventory.md"
    return f"{full} must be {expected or detail['msg']}, not {_shown(value)}", remedy


def _add(key: str, field: FieldInfo) -> str:
    example = f"`{key}: {field.examples[0]}`" if field.examples else f"`{key}`"
    return f"add {example}, {field.description}"


def _owner(model: type[BaseModel], path: Path) -> type[BaseModel]:
    """The model that the last key of a path belongs to."""
    for step in path[:-1]:
        if isinstance(step, str) and step in model.model_fields:
            model = _nested(model.model_fields[step].annotation) or model
    return model


def _nested(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next(filter(None, map(_nested, get_args(annotation))), None)


def _dotted(name: str, path: Path) -> str:
    return name + "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)


def _shown(value: Any) -> str:
    if value is None:
        return "empty"
    if isinstance(value, dict | list):
        return "a mapping" if isinstance(value, dict) else "a list"
    return repr(value)
