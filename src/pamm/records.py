"""Dataclasses whose fields are of the types they say, from plain values, with errors that say what to write where."""

import dataclasses
import types
import typing
from collections.abc import Mapping
from typing import Any, Literal, TypeVar, Union

from pamm.names import unknown_name

Record = TypeVar("Record")

_WORDS: dict[Any, str] = {str: "text", int: "a whole number", float: "a number", bool: "true or false"}


def build(record: type[Record], plain: object, where: str) -> Record:
    """Make a dataclass from a mapping, and dataclasses inside of it from the mappings inside.

    Args:
        record: a dataclass of text, numbers, literals, tuples, dictionaries by text, and dataclasses.
        plain: what a YAML file gave.
        where: file and place, for messages.

    Raises:
        ValueError: if a key is unknown or missing, a value is of the wrong type, or the dataclass refuses it.
    """
    if not isinstance(plain, Mapping):
        raise _wrong(where, plain, "keys with values")
    fields = {field.name: field for field in dataclasses.fields(typing.cast(Any, record))}
    for key in plain:
        if key not in fields:
            raise ValueError(f"{where}: {unknown_name('key', key, fields)}")
    for name, field in fields.items():
        needed = field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
        if needed and name not in plain:
            raise ValueError(f"{where}: {name!r} is missing: add it")
    hints = typing.get_type_hints(record)
    values = {key: _convert(hints[key], value, f"{where}: {key}") for key, value in plain.items()}
    try:
        return record(**values)
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from error


def settle(record: object, where: str) -> None:
    """Check the types of a dataclass's fields as it is made, from its ``__post_init__``, and make tuples of lists.

    Args:
        record: the dataclass, frozen or not; fields that hold whole numbers for numbers keep them.
        where: what is made, for messages.

    Raises:
        ValueError: if a field is of the wrong type.
    """
    for name, hint in typing.get_type_hints(type(record)).items():
        value = getattr(record, name)
        settled = _convert(hint, value, f"{where}: {name}")
        if settled != value:
            object.__setattr__(record, name, settled)


def _wrong(where: str, value: object, wanted: str) -> ValueError:
    shown = repr(value) if len(repr(value)) <= 60 else f"{repr(value)[:57]}..."
    return ValueError(f"{where}: got {shown}, wanted {wanted}")


def _convert(hint: Any, value: Any, where: str) -> Any:  # noqa: ANN401  (a type hint and a plain value: anything)
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if hint is Any:
        return value
    if origin in (Union, types.UnionType):
        return _convert_one_of(arguments, value, where)
    if dataclasses.is_dataclass(hint):
        if isinstance(value, typing.cast(type, hint)):
            return value
        return build(typing.cast(type, hint), value, where)
    if origin is Literal and value in arguments:
        return value
    if origin is dict and isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        return {key: _convert(arguments[1], item, f"{where}: {key}") for key, item in value.items()}
    if origin is tuple and isinstance(value, list | tuple):
        kinds = arguments[:1] * len(value) if arguments[-1] is Ellipsis else arguments
        if len(kinds) == len(value):
            return tuple(_convert(kind, item, where) for kind, item in zip(kinds, value, strict=True))
    if hint is float and isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    if hint in _WORDS and hint is not float and type(value) is hint:
        return value
    raise _wrong(where, value, _describe(hint))


def _convert_one_of(hints: tuple[Any, ...], value: Any, where: str) -> Any:  # noqa: ANN401  (see above)
    for hint in hints:
        if hint is types.NoneType:
            if value is None:
                return None
            continue
        try:
            return _convert(hint, value, where)
        except ValueError:
            continue
    raise _wrong(where, value, _describe(Union[hints]))  # noqa: UP007  (a union of types known only here)


def _describe(hint: Any) -> str:  # noqa: ANN401  (a type hint)
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (Union, types.UnionType):
        return " or ".join(_describe(kind) for kind in arguments if kind is not types.NoneType)
    if origin is Literal:
        return " or ".join(map(str, arguments))
    if origin is tuple:
        many = arguments[-1] is Ellipsis
        each = _describe(arguments[0])
        return f"a list, each {each}" if many else f"a list of {len(arguments)}, each {each}"
    if origin is dict:
        return f"names, each with {_describe(arguments[1])}"
    return _WORDS.get(hint, "keys with values")
