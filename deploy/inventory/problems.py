"""What pydantic found, in the words of the person who has to mend it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from deploy.errors import Finding
from deploy.inventory.fields import FieldError
from deploy.inventory.layout import did_you_mean
from deploy.inventory.source import Node

_EXPECTED: Mapping[str, str] = {
    "string_type": "text",
    "int_type": "a whole number",
    "tuple_type": "a list",
    "mapping_type": "a mapping",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
}


def problems(error: ValidationError, model: type[BaseModel], node: Node, name: str) -> Iterator[Finding]:
    """One finding for each thing that pydantic refuses.

    Args:
        error: what it refuses.
        model: the model that was wanted.
        node: where the values stand.
        name: what the whole is called, such as ``platform``.
    """
    for detail in error.errors():
        path = list(detail["loc"])
        where = node.at(*path).where
        yield Finding(where, *_words(detail, _owner(model, path), name, path))


def _words(detail: ErrorDetails, owner: type[BaseModel], name: str, path: list[str | int]) -> tuple[str, str]:
    kind, value, context = detail["type"], detail["input"], detail.get("ctx", {})
    key = str(path[-1]) if path else ""
    full = _dotted(name, path)
    if kind == "extra_forbidden":
        known = list(owner.model_fields)
        remedy = did_you_mean(key, known) or f"it has {', '.join(known)}"
        return f"unknown key {key!r} in {_dotted(name, path[:-1])}", remedy
    if kind == "missing":
        return f"{_dotted(name, path[:-1])} lacks {key!r}", _add(key, owner.model_fields[key])
    if isinstance(wrong := context.get("error"), FieldError):
        return f"{full}: {wrong.what}", wrong.remedy
    if kind == "literal_error":
        allowed = [str(choice) for choice in get_args(owner.model_fields[key].annotation)]
        return f"{full} cannot be {value!r}", did_you_mean(str(value), allowed) or f"choose one of {', '.join(allowed)}"
    if kind in _EXPECTED:
        return f"{full} must be {_EXPECTED[kind]}, not {_shown(value)}", "write it like in inventories/lab"
    return f"{full}: {detail['msg']}", f"it is {_shown(value)}"


def _add(key: str, field: FieldInfo) -> str:
    example = f"`{key}: {field.examples[0]}`" if field.examples else f"`{key}`"
    return f"add {example}, {field.description}"


def _owner(model: type[BaseModel], path: list[str | int]) -> type[BaseModel]:
    """The model that the last key of a path belongs to."""
    for step in path[:-1]:
        if isinstance(step, str):
            model = _nested(model.model_fields[step]) or model
    return model


def _nested(field: FieldInfo) -> type[BaseModel] | None:
    for part in (field.annotation, *get_args(field.annotation)):
        if isinstance(part, type) and issubclass(part, BaseModel):
            return part
    return None


def _dotted(name: str, path: list[str | int]) -> str:
    return name + "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)


def _shown(value: Any) -> str:
    if value is None:
        return "empty"
    if isinstance(value, dict | list):
        return "a mapping" if isinstance(value, dict) else "a list"
    return repr(value)
