from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

from domain_rand.randomizer import Randomization
from domain_rand.schema import ConfigError, Schema, read_yaml, with_overrides
from robots.spec import ROBOTS, RobotSpec, load_robot


class Inner(Schema):
    rate: float
    steps: int = 3


class Outer(Schema):
    name: str
    inner: Inner
    table: dict[str, Inner] = {}


GOOD = {"name": "a", "inner": {"rate": 0.5}}


def test_an_unknown_key_names_the_nearest_valid_one() -> None:
    with pytest.raises(ConfigError, match=r"cfg: unknown key 'nmae'; did you mean 'name'\? valid: inner, name, table"):
        Outer.parse({**GOOD, "nmae": "b"}, "cfg")


@pytest.mark.parametrize(
    ("data", "where"),
    [
        ({**GOOD, "inner": {"rate": 1, "step": 2}}, "inner.step"),
        ({**GOOD, "table": {"x": {"rate": 1, "step": 2}}}, "table.x.step"),
    ],
)
def test_a_nested_unknown_key_is_compared_with_the_keys_of_its_level(data: dict, where: str) -> None:
    with pytest.raises(ConfigError, match=rf"'{where}'; did you mean 'steps'\? valid: rate, steps$"):
        Outer.parse(data)


def test_an_unknown_key_of_a_distribution_names_that_distribution_s_keys() -> None:
    entry = {"parameter": "gravity", "unit": "m/s²", "draw": {"distribution": "uniform", "low": 9, "hihg": 10}}
    with pytest.raises(ConfigError, match=r"hihg'; did you mean 'high'\?"):
        Randomization.parse({"parameters": {"g": entry}})


def test_a_wrong_type_names_key_and_value() -> None:
    with pytest.raises(ConfigError, match=r"'inner\.rate' is 'fast'"):
        Outer.parse({"name": "a", "inner": {"rate": "fast"}})


def test_every_wrong_key_is_reported_at_once() -> None:
    with pytest.raises(ConfigError, match=r"missing key 'name'; missing key 'inner\.rate'"):
        Outer.parse({"inner": {}})


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_no_number_is_infinite_or_nan(value: float) -> None:
    with pytest.raises(ConfigError, match="finite"):
        Inner.parse({"rate": value})


def test_a_configuration_is_frozen() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Inner(rate=1.0).rate = 2.0  # type: ignore[misc]


def test_overrides_are_typed_nested_and_leave_the_source_alone() -> None:
    source = {"name": "a", "inner": {"rate": 0.5}}
    result = with_overrides(source, ["inner.rate=2", "inner.steps=7", "name=b=c", "table.x.rate=1"])
    assert result == {"name": "b=c", "inner": {"rate": 2, "steps": 7}, "table": {"x": {"rate": 1}}}
    assert source == GOOD


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("name", "expected key.subkey=value"),
        ("=3", "expected key.subkey=value"),
        ("name.x=3", "'name' is a value, not a section"),
        ("inner.rate=[1", "not valid YAML"),
    ],
)
def test_an_override_that_cannot_be_used_is_refused(override: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        with_overrides(GOOD, [override])


def test_a_mistyped_override_is_an_unknown_key() -> None:
    with pytest.raises(ConfigError, match=r"'inner\.rte'; did you mean 'rate'"):
        Outer.parse(with_overrides(GOOD, ["inner.rte=1"]))


@pytest.mark.parametrize("robot", sorted(path.parent.name for path in ROBOTS.glob("*/robot.yaml")))
def test_yaml_round_trip_gives_an_equal_object(robot: str) -> None:
    for config in load_robot(robot):
        assert type(config).parse(yaml.safe_load(config.to_yaml())) == config


def test_round_trip_keeps_numbers_to_the_last_bit() -> None:
    inner = Inner(rate=0.1 + 0.2)
    assert Inner.parse(yaml.safe_load(inner.to_yaml())).rate == 0.1 + 0.2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [1, 2", "not valid YAML"),
        ("- 1\n- 2", "expected a mapping of keys to values, found list"),
        ("", "found NoneType"),
        ("rate: 1\nrate: 2", "duplicate key 'rate'"),
        ("inner:\n  rate: 1\n  rate: 2", "duplicate key 'rate'"),
    ],
)
def test_a_file_that_is_no_configuration_is_refused_by_name(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=rf"bad\.yaml: .*{message}"):
        read_yaml(path)


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "bad.yaml"
    path.write_bytes(b"a: \xff\xfe")
    with pytest.raises(ConfigError, match=r"bad\.yaml: not valid YAML"):
        read_yaml(path)


def test_an_absent_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.yaml: no such file"):
        RobotSpec.load(tmp_path / "none.yaml")
