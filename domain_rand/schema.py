"""Strict YAML: frozen pydantic models, and errors that name the file, the key, its value and the nearest valid key."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self, get_args

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError


class ConfigError(ValueError):
    """A configuration that cannot be used; the message says which key, what it holds and what is valid."""


class Schema(BaseModel):
    """Base of every configuration object: frozen, complete, and closed to unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @classmethod
    def parse(cls, data: Mapping[str, Any], source: str = "configuration") -> Self:
        """Validate plain data; raises `ConfigError` with one line for each wrong key."""
        try:
            return cls.model_validate(dict(data))
        except ValidationError as error:
            lines = [_describe(cls, issue) for issue in error.errors(include_url=False)]
            raise ConfigError(f"{source}: " + "; ".join(lines)) from None

    @classmethod
    def overridden(cls, data: Mapping[str, Any], overrides: Sequence[str], source: str = "configuration") -> Self:
        """Validate plain data under `a.b=c` assignments; what they alone make wrong is said of `--set`."""
        changed = with_overrides(data, overrides)
        return cls.parse(changed, "--set" if overrides and cls._accepts(data) else source)

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read one YAML file; raises `ConfigError` naming the file and the key."""
        return cls.parse(read_yaml(path), str(path))

    @classmethod
    def _accepts(cls, data: Mapping[str, Any]) -> bool:
        try:
            cls.model_validate(dict(data))
        except ValidationError:
            return False
        return True

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """Return a copy with fields replaced, unchecked; what was derived from the old fields is derived anew."""
        copy = super().model_copy(update=update, deep=deep)
        for name in copy.__dict__.keys() - type(self).model_fields.keys():
            del copy.__dict__[name]
        return copy

    def plain(self) -> dict[str, Any]:
        """Return JSON-compatible data that `parse` turns back into an equal object."""
        return self.model_dump(mode="json")

    def to_yaml(self) -> str:
        """Return YAML text, keys in declared order, that re-reads to an equal object."""
        return yaml.safe_dump(self.plain(), sort_keys=False, allow_unicode=True)


def read_yaml(path: str | Path) -> dict[str, Any]:
    """Read a YAML mapping; raises `ConfigError` when the file is absent, malformed or not a mapping."""
    path = Path(path)
    try:
        data = _yaml(path.read_text(encoding="utf-8"), str(path))
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not valid YAML ({error})") from None
    if not isinstance(data, dict):
        raise ConfigError(f"{path}: expected a mapping of keys to values, found {type(data).__name__}")
    return data


class UniqueKeyLoader(yaml.SafeLoader):
    """Refuses a key written twice, of which plain YAML would silently keep the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                continue
            if key.value in seen:
                raise yaml.constructor.ConstructorError(None, None, f"duplicate key '{key.value}'", key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)


def _yaml(text: str, source: str) -> Any:
    try:
        return yaml.load(text, UniqueKeyLoader)  # a SafeLoader
    except yaml.YAMLError as error:
        raise ConfigError(f"{source}: not valid YAML ({error})") from None


def nearest(name: str, valid: list[str] | tuple[str, ...]) -> str:
    """Say which valid name is meant, for an error message: the nearest one, then all of them."""
    close = difflib.get_close_matches(name, valid, n=1, cutoff=0.5)
    hint = f"did you mean '{close[0]}'? " if close else ""
    return f"{hint}valid: {', '.join(sorted(valid)) or 'none'}"


def with_overrides(data: Mapping[str, Any], overrides: Sequence[str]) -> dict[str, Any]:
    """Return a copy of `data` with `a.b=c` assignments applied, values read as YAML."""
    result = yaml.safe_load(yaml.safe_dump(dict(data)))
    for text in overrides:
        path, separator, value = text.partition("=")
        if not separator or not path.strip():
            raise ConfigError(f"override '{text}': expected key.subkey=value")
        _assign(result, path.strip().split("."), _yaml(value, f"override '{text}'"))
    return result


def _assign(data: dict[str, Any], keys: list[str], value: Any) -> None:
    *parents, last = keys
    for key in parents:
        child = data.setdefault(key, {})
        if not isinstance(child, dict):
            raise ConfigError(f"override '{'.'.join(keys)}': '{key}' is a value, not a section")
        data = child
    data[last] = value


def _describe(model: type[BaseModel], issue: Any) -> str:
    location = issue["loc"]
    key = ".".join(str(part) for part in location)
    if issue["type"] == "extra_forbidden":
        return f"unknown key '{key}'; {nearest(str(location[-1]), _valid_keys(model, location[:-1]))}"
    if issue["type"] == "missing":
        return f"missing key '{key}'"
    return f"'{key}' is {issue['input']!r}: {issue['msg']}"


def _valid_keys(model: type[BaseModel], location: tuple[Any, ...]) -> list[str]:
    """Names of the fields accepted at `location`; the top level's where the path leads into a union."""
    current: set[type[BaseModel]] = {model}
    for part in location:
        fields = [m.model_fields[part].annotation for m in current if part in m.model_fields]
        current = {m for f in fields for m in _models_in(f)} or current
    return sorted({name for m in current for name in m.model_fields})


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models_in(argument)
