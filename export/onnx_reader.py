"""Read an ONNX file without the `onnx` package: versions, metadata, operators, weights.

A robot has no `onnx`, yet a person there may ask what a bundle holds. The format is protobuf: a message is a sequence
of (field number, wire type, value); the numbers below are those of the schema `onnx.proto`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from export.manifest import BundleError

_DTYPES: dict[int, str] = {1: "<f4", 2: "u1", 6: "<i4", 7: "<i8", 9: "?", 10: "<f2", 11: "<f8"}
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


@dataclass(frozen=True)
class Node:
    """One operation of a graph: tensors by name, attributes as plain values or arrays."""

    op: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: dict[str, Any]


@dataclass(frozen=True)
class OnnxFile:
    """What an ONNX file says: `opsets` by domain, `weights` by name, `nodes` in the order of execution."""

    ir_version: int
    opsets: dict[str, int]
    metadata: dict[str, str]
    nodes: tuple[Node, ...]
    weights: dict[str, np.ndarray]


def read_onnx(data: bytes, source: str = "graph") -> OnnxFile:
    """Read an ONNX model; raises `BundleError` for bytes that are none, or whose tensors are of an unusual kind."""
    try:
        model = _fields(data)
        graph = _fields(_one(model, 7))
        opsets = [_fields(entry) for entry in model.get(8, [])]
        metadata = [_fields(entry) for entry in model.get(14, [])]
        return OnnxFile(
            ir_version=_one(model, 1),
            opsets={_text(entry, 1): _one(entry, 2) for entry in opsets},
            metadata={_text(entry, 1): _text(entry, 2) for entry in metadata},
            nodes=tuple(_node(_fields(entry)) for entry in graph.get(1, [])),
            weights=dict(_tensor(_fields(entry)) for entry in graph.get(5, [])),
        )
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError, OverflowError) as error:
        raise BundleError(f"{source} is no ONNX file that can be read here ({error})") from None


Fields = dict[int, list[Any]]


def _fields(data: bytes) -> Fields:
    fields: Fields = {}
    for number, value in _walk(memoryview(data)):
        fields.setdefault(number, []).append(value)
    return fields


def _walk(data: memoryview) -> Iterator[tuple[int, Any]]:
    place = 0
    while place < len(data):
        key, place = _varint(data, place)
        kind = key & 7
        if kind == _VARINT:
            value, place = _varint(data, place)
            yield key >> 3, value
            continue
        if kind not in (_FIXED64, _BYTES, _FIXED32):
            raise ValueError(f"wire type {kind}")
        size, place = _varint(data, place) if kind == _BYTES else ({_FIXED64: 8, _FIXED32: 4}[kind], place)
        if size > len(data) - place:
            raise ValueError("it ends in the middle of a field")
        yield key >> 3, bytes(data[place : place + size])
        place += size


def _varint(data: memoryview, place: int) -> tuple[int, int]:
    """Return a number, seven bits a byte from the lowest, and the place after it."""
    value = 0
    for i, byte in enumerate(data[place : place + 10]):
        value |= (byte & 127) << 7 * i
        if byte < 128:
            return value, place + i + 1
    raise ValueError("it ends in the middle of a number")


def _one(fields: Fields, number: int) -> Any:
    return fields[number][-1]


def _text(fields: Fields, number: int) -> str:
    return _one(fields, number).decode() if number in fields else ""


def _node(fields: Fields) -> Node:
    inputs, outputs = (tuple(name.decode() for name in fields.get(number, [])) for number in (1, 2))
    attributes = dict(_attribute(_fields(entry)) for entry in fields.get(5, []))
    return Node(_text(fields, 4), inputs, outputs, attributes)


def _attribute(fields: Fields) -> tuple[str, Any]:
    kind = _one(fields, 20)
    if kind == 1:
        value: Any = float(np.frombuffer(_one(fields, 2), "<f4")[0])
    elif kind == 2:
        value = _signed(_one(fields, 3)) if 3 in fields else 0
    elif kind == 3:
        value = _one(fields, 4)
    elif kind == 4:
        value = _tensor(_fields(_one(fields, 5)))[1]
    elif kind == 7:
        value = _integers(fields.get(8, []))
    else:
        value = None
    return _text(fields, 1), value


def _tensor(fields: Fields) -> tuple[str, np.ndarray]:
    shape, dtype = _integers(fields.get(1, [])), np.dtype(_DTYPES[_one(fields, 2)])
    if 9 in fields:
        values = np.frombuffer(_one(fields, 9), dtype)
    elif 4 in fields:
        values = np.frombuffer(b"".join(fields[4]), "<f4")
    else:
        values = np.array(_integers(fields.get(7, fields.get(5, []))), dtype)
    return _text(fields, 8), values.reshape(shape)


def _integers(values: list[Any]) -> list[int]:
    """Return repeated integers, written one by one or packed."""
    numbers: list[int] = []
    for value in values:
        place = 0
        while isinstance(value, bytes) and place < len(value):
            number, place = _varint(memoryview(value), place)
            numbers.append(_signed(number))
        if not isinstance(value, bytes):
            numbers.append(_signed(value))
    return numbers


def _signed(value: int) -> int:
    return value - 2**64 if value >= 2**63 else value
