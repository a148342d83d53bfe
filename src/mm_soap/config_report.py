"""Sentences about settings: what is wrong with one, and what each means."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Final, Literal, NamedTuple, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

_NOT_SETTINGS: Final = re.compile(r"MM_SOAP_(CONFIG|TEST_.*)")
"""Variables with the prefix that are none: the one that names the file, and those of tests."""

_TYPE_NAMES: Final[dict[Any, str]] = {
    int: "integer",
    float: "number",
    bool: "true or false",
    str: "text",
    Path: "file",
}


class Row(NamedTuple):
    """One setting, for the reference."""

    key: str
    type: str
    default: str
    meaning: str


def rows(model: type[BaseModel], prefix: str = "") -> Iterator[Row]:
    """Yield a row for each setting of a model, then for those of its tables, as they stand in a file.

    ``operator[].name`` is one of a table of tables.
    """
    tables = {name: _table(field.annotation) for name, field in model.model_fields.items()}
    for name, field in model.model_fields.items():
        if tables[name][0] is None:
            yield Row(prefix + name, _type_name(field.annotation), _default(field), field.description or "")
    for name, (table, many) in tables.items():
        if table is not None:
            yield from rows(table, f"{prefix}{name}{'[]' if many else ''}.")


def unknown_variable(model: type[BaseModel], prefix: str, environment: Mapping[str, str]) -> str | None:
    """Return a sentence about the first environment variable that looks like a setting and is none, or None."""
    for name in sorted(environment):
        upper = name.upper()
        if not upper.startswith(prefix) or _NOT_SETTINGS.fullmatch(upper):
            continue
        top = upper.removeprefix(prefix).lower().split("__")[0]
        if top not in model.model_fields:
            return f"The environment variable {name} is not a setting; {_suggest(top, model)}."
    return None


def explain(
    error: ValidationError, model: type[BaseModel], file: Path, prefix: str, environment: Mapping[str, str]
) -> str:
    """Return one sentence for a person: where the first wrong setting is and what it must be.

    No value is repeated: neither of the setting nor of anything else.
    """
    errors = error.errors(include_url=False, include_context=False, include_input=False)
    first, more = errors[0], len(errors) - 1
    keys = [part for part in first["loc"] if isinstance(part, str)]
    number = next((f" (number {part + 1})" for part in first["loc"] if isinstance(part, int)), "")
    key = f"{'.'.join(keys)}{number}"
    variable, exact = _variable(keys, prefix, environment)
    subject = f"{variable or file}: {key}" if not exact else f"The environment variable {variable}"
    sentence = f"{subject} {_demand(first['type'], first['msg'], keys, model)}".replace(":  ", ": ")
    return f"{sentence} ({more} more to correct after this)." if more else f"{sentence}."


def _demand(kind: str, message: str, keys: Sequence[str], model: type[BaseModel]) -> str:
    if kind == "missing":
        return "is missing; add it"
    if kind == "extra_forbidden":
        return f"is not a setting; {_suggest(keys[-1], _model_at(model, keys[:-1]))}"
    if kind in ("model_type", "model_attributes_type", "dict_type"):
        return "must be a table"
    if kind in ("tuple_type", "list_type"):
        return "must be a list"
    # Pydantic's own sentences begin so; those of this project begin with what must be.
    text = re.sub(r"^(Input|String|Value|Tuple) should ", "must ", message)
    return re.sub(r", unable to parse.*| or instance of.*", "", text)


def _suggest(name: str, model: type[BaseModel]) -> str:
    close = get_close_matches(name, model.model_fields, n=1)
    return f"write {close[0]} if that is meant, or remove it" if close else "remove it, or correct its name"


def _model_at(model: type[BaseModel], keys: Sequence[str]) -> type[BaseModel]:
    for key in keys:
        table, _ = _table(model.model_fields[key].annotation)
        model = table or model
    return model


def _variable(keys: Sequence[str], prefix: str, environment: Mapping[str, str]) -> tuple[str | None, bool]:
    """Return the variable that set a setting, if one did, and whether it set that alone, not a table around it."""
    wanted = {prefix + "__".join(keys[:length]).upper(): length for length in range(len(keys), 0, -1)}
    found = {wanted[name.upper()]: name for name in environment if name.upper() in wanted}
    return (found[max(found)], max(found) == len(keys)) if found else (None, False)


def _table(annotation: Any) -> tuple[type[BaseModel] | None, bool]:
    """Return the model that a setting's type is a table of, if it is, and whether there may be several."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation, False
    several = get_origin(annotation) is tuple
    for argument in get_args(annotation) if several or get_origin(annotation) in (Union, UnionType) else ():
        if isinstance(argument, type) and issubclass(argument, BaseModel):
            return argument, several
    return None, False


def _type_name(annotation: Any) -> str:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _type_name(arguments[0])
    if origin is Literal:
        return " or ".join(f'"{a}"' for a in arguments)
    if origin is tuple:
        return f"list of {_type_name(arguments[0])}"
    return _TYPE_NAMES[annotation]


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.default
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return "[" + ", ".join(f'"{each}"' for each in value) + "]"
    return f'"{value}"' if isinstance(value, str) else str(value)
