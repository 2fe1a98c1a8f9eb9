"""As much of rclpy and its messages as the driver calls, with the same names and signatures, in one process."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable
from enum import Enum
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest


class SignalHandlerOptions(Enum):
    NO = 0
    ALL = 3


class Ros:
    """Everything between nodes: `send` puts a message on its way, `sent` keeps what nodes publish.

    `answer` is called for each of those: a robot that senses again.
    """

    def __init__(self) -> None:
        self.running = False
        self.handlers: SignalHandlerOptions | None = None
        self.subscriptions: dict[str, Callable[[Any], None]] = {}
        self.sent: list[tuple[str, Any]] = []
        self.waiting: deque[tuple[str, Any]] = deque()
        self.nodes = 0
        self.answer: Callable[[], None] = lambda: None

    def send(self, topic: str, message: Any) -> None:
        self.waiting.append((topic, message))

    def init(self, *, signal_handler_options: SignalHandlerOptions) -> None:
        assert not self.running, "rclpy.init twice raises in rclpy"
        self.running, self.handlers = True, signal_handler_options

    def ok(self) -> bool:
        return self.running

    def shutdown(self) -> None:
        assert self.running, "rclpy.shutdown twice raises in rclpy"
        self.running = False

    def create_node(self, name: str, *, namespace: str) -> Node:
        self.nodes += 1
        return Node(self, namespace)

    def spin_once(self, node: Node, *, timeout_sec: float) -> None:
        if self.waiting:
            topic, message = self.waiting.popleft()
            if topic in self.subscriptions:
                self.subscriptions[topic](message)


class Node:
    def __init__(self, ros: Ros, namespace: str) -> None:
        self._ros, self._namespace = ros, namespace

    def create_subscription(self, kind: type, topic: str, callback: Callable[[Any], None], quality: object) -> None:
        self._ros.subscriptions[f"{self._namespace}/{topic}"] = callback

    def create_publisher(self, kind: type, topic: str, depth: int) -> SimpleNamespace:
        def publish(message: Any) -> None:
            assert isinstance(message, kind)
            self._ros.sent.append((f"{self._namespace}/{topic}", message))
            self._ros.answer()

        return SimpleNamespace(publish=publish)

    def get_clock(self) -> SimpleNamespace:
        return SimpleNamespace(now=lambda: SimpleNamespace(to_msg=lambda: SimpleNamespace(sec=1, nanosec=2)))

    def destroy_node(self) -> None:
        self._ros.nodes -= 1


class JointState:
    def __init__(self, time: float = 0.0, **lists: Any) -> None:
        stamp = SimpleNamespace(sec=int(time), nanosec=round(1e9 * (time % 1)))
        self.header = SimpleNamespace(stamp=stamp)
        self.name, self.position, self.velocity, self.effort = (
            list(lists.get(field, ())) for field in ("name", "position", "velocity", "effort")
        )


class Imu:
    def __init__(self, quat_xyzw: tuple[float, ...] = (0, 0, 0, 1), ang_vel: tuple[float, ...] = (0, 0, 0)) -> None:
        self.orientation = SimpleNamespace(**dict(zip("xyzw", quat_xyzw, strict=True)))
        self.angular_velocity = SimpleNamespace(**dict(zip("xyz", ang_vel, strict=True)))


class Float64MultiArray:
    def __init__(self, data: tuple[float, ...] = ()) -> None:
        self.data = list(data)


class Float64:
    def __init__(self, data: float = 0.0) -> None:
        self.data = data


def install(monkeypatch: pytest.MonkeyPatch) -> Ros:
    """Make `import rclpy` find this."""
    ros = Ros()
    modules: dict[str, dict[str, Any]] = {
        "rclpy": {n: getattr(ros, n) for n in ("init", "ok", "shutdown", "create_node", "spin_once")},
        "rclpy.signals": {"SignalHandlerOptions": SignalHandlerOptions},
        "rclpy.qos": {"qos_profile_sensor_data": object()},
        "sensor_msgs": {},
        "sensor_msgs.msg": {"JointState": JointState, "Imu": Imu},
        "std_msgs": {},
        "std_msgs.msg": {"Float64": Float64, "Float64MultiArray": Float64MultiArray},
    }
    for name, members in modules.items():
        module = ModuleType(name)
        module.__dict__.update(members)
        monkeypatch.setitem(sys.modules, name, module)
    return ros
