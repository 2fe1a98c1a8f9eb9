"""Reach a robot over ROS 2: joint states and an IMU come in, one command message goes out for each reading.

| topic below the namespace | message                                                                         |
|---------------------------|---------------------------------------------------------------------------------|
| `joint_states`            | sensor_msgs/JointState, joints by name: each one is a reading, stamped          |
| `imu`                     | sensor_msgs/Imu: orientation, angular velocity; the newest counts               |
| `signals/NAME`            | std_msgs/Float64MultiArray: any other signal of the contract; the newest counts |
| none                      | `last_action`: the driver knows what it sent                                    |
| `reward`                  | std_msgs/Float64, where the contract needs one; the newest counts               |
| `command`, going out      | std_msgs/Float64MultiArray in contract order, or sensor_msgs/JointState by name |

Needs `rclpy` of a sourced ROS 2 installation, and imports it when it connects. Times in s.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from time import monotonic
from typing import Any
from urllib.parse import SplitResult

from domain_rand.schema import ConfigError, nearest
from robots.contract import Contract, Signal
from robots.drivers.base import (
    DriverError,
    DriverTimeout,
    Features,
    Reading,
    limited_command,
    query_options,
    required,
)
from robots.rotation import rotate_back

OPTIONS = {"command": str}
COMMANDS = ("array", "joints")
DOWN = (0.0, 0.0, -1.0)
SENT = "last_action"
REWARD = "reward"
JOINT_FIELDS = {"joint_pos": "position", "joint_vel": "velocity", "joint_torque": "effort"}
"""Sources that a JointState tells, and in which of its lists."""

MODE_FIELDS = {"position": "position", "velocity": "velocity", "torque": "effort"}
"""Where a command of each mode stands in a JointState."""


def _vector(message: Any) -> list[float]:
    return [message.x, message.y, message.z]


def _quat(message: Any) -> list[float]:
    return [*_vector(message), message.w]


IMU_SOURCES: dict[str, Callable[[Any], Sequence[float]]] = {
    "base_ang_vel_body": lambda imu: _vector(imu.angular_velocity),
    "base_quat_xyzw": lambda imu: _quat(imu.orientation),
    "projected_gravity": lambda imu: rotate_back(_quat(imu.orientation), DOWN),
}
"""Sources that an Imu tells."""


def open_url(url: SplitResult, contract: Contract | None) -> Ros2Driver:
    """Make the driver of `ros2://NAMESPACE?command=array` (or joints); raises `ConfigError` without a contract."""
    namespace = (url.netloc + url.path).strip("/")
    if not namespace:
        raise ConfigError(f"{url.geturl()}: expected ros2://NAMESPACE")
    return Ros2Driver(namespace, required(contract, url), **query_options(url, OPTIONS))


class Ros2Driver:
    """A node of its own below `/NAMESPACE`; safe with Ctrl-C: rclpy's signal handlers stay out."""

    def __init__(
        self,
        namespace: str,
        contract: Contract,
        *,
        command: str = "array",
        timeout: float = 2.0,
        connect_timeout: float = 5.0,
    ) -> None:
        if command not in COMMANDS:
            raise ConfigError(f"ros2://{namespace}: command is '{command}'; {nearest(command, COMMANDS)}")
        self.features = Features.of(contract)
        self._namespace, self._contract, self._as_joints = namespace, contract, command == "joints"
        self._timeout, self._connect_timeout = timeout, connect_timeout
        self._node: Any = None
        self._started_rclpy = False
        self._sequence = 0
        self._states: list[Any] = []
        self._newest: dict[str, Any] = {}
        self._sent = list(self.features.safe)

    def connect(self) -> Features:
        """Make the node and wait for a first reading; raises `DriverError` naming what is missing."""
        if self._node is None:
            rclpy = _import("rclpy")
            if not rclpy.ok():
                rclpy.init(signal_handler_options=_import("rclpy.signals").SignalHandlerOptions.NO)
                self._started_rclpy = True
            self._node = rclpy.create_node("simshift", namespace=f"/{self._namespace}")
            try:
                self._join()
                self._wait(self._connect_timeout, "start the robot's nodes, or give another namespace")
            except BaseException:
                self.close()
                raise
        return self.features

    def read(self) -> Reading:
        """Return the reading of the newest joint state; raises `DriverTimeout` when none comes."""
        self._wait(self._timeout, "see 'ros2 topic hz' for who has stopped")
        state = self._states[-1]
        self._states.clear()
        first, self._sequence = self._sequence == 0, self._sequence + 1
        time = state.header.stamp.sec + 1e-9 * state.header.stamp.nanosec
        signals = {signal.name: self._values(signal, state) for signal in self._contract.signals}
        reward = float(self._newest[REWARD].data) if REWARD in self._needed else None
        return Reading(self._sequence, time, signals, episode_start=first, trial_start=first, reward=reward)

    def write(self, command: Mapping[str, float]) -> dict[str, float]:
        """Publish a command; returns what was sent: inside the limits."""
        values = limited_command(command, self._contract)
        self._connected()
        self._publish(values)
        return dict(zip(self._contract.joint_names, values, strict=True))

    def stop(self) -> dict[str, float]:
        """Publish the safe command; never raises. Returns it."""
        if self._node is not None:
            try:
                self._publish(list(self.features.safe))
            except Exception:  # rclpy is shutting down under us; the robot's own watchdog has to act
                return self.features.safe_command
        return self.features.safe_command

    def close(self) -> None:
        """Take the node down; safe to call twice."""
        node, self._node = self._node, None
        if node is not None:
            node.destroy_node()
        if self._started_rclpy:
            _import("rclpy").shutdown()
            self._started_rclpy = False

    def _join(self) -> None:
        """Subscribe to what the contract's signals need, and announce the command."""
        sensors, messages = _import("sensor_msgs.msg"), _import("std_msgs.msg")
        quality = _import("rclpy.qos").qos_profile_sensor_data
        self._command = sensors.JointState if self._as_joints else messages.Float64MultiArray
        self._topics = {s.name: _topic(s) for s in self._contract.signals if s.measures != SENT}
        kinds = {"imu": sensors.Imu, REWARD: messages.Float64}
        self._needed = {*self._topics.values()} - {"joint_states"} | ({REWARD} if self.features.gives_reward else set())
        self._node.create_subscription(sensors.JointState, "joint_states", self._states.append, quality)
        for topic in sorted(self._needed):
            kind = kinds.get(topic, messages.Float64MultiArray)
            self._node.create_subscription(kind, topic, self._keeper(topic), quality)
        self._publisher = self._node.create_publisher(self._command, "command", 1)

    def _keeper(self, topic: str) -> Callable[[Any], None]:
        def keep(message: Any) -> None:
            self._newest[topic] = message

        return keep

    def _wait(self, seconds: float, advice: str) -> None:
        """Take in messages until a joint state is here and everything else has been heard; drains what is waiting."""
        rclpy, deadline = _import("rclpy"), monotonic() + seconds
        node = self._connected()
        while missing := self._missing():
            left = deadline - monotonic()
            if left <= 0:
                topics = ", ".join(f"/{self._namespace}/{topic}" for topic in missing)
                raise DriverTimeout(f"nothing on {topics} for {seconds:g} s; {advice}")
            rclpy.spin_once(node, timeout_sec=left)
        heard = -1
        while heard != (heard := len(self._states)):
            rclpy.spin_once(node, timeout_sec=0.0)

    def _missing(self) -> list[str]:
        silent = sorted(self._needed - self._newest.keys())
        return silent if self._states else ["joint_states", *silent]

    def _values(self, signal: Signal, state: Any) -> Sequence[float]:
        source = signal.measures
        if source == SENT:
            return self._contract.action.normalized(self._sent)
        topic = self._topics[signal.name]
        if topic == "joint_states":
            return self._by_joint(state, JOINT_FIELDS[source])
        message = self._newest[topic]
        return list(IMU_SOURCES[source](message)) if topic == "imu" else list(message.data)

    def _by_joint(self, state: Any, field: str) -> list[float]:
        values = dict(zip(state.name, getattr(state, field), strict=False))
        missing = [name for name in self._contract.joint_names if name not in values]
        if missing:
            raise DriverError(
                f"/{self._namespace}/joint_states tells no {field} of {', '.join(missing)}; it names "
                f"{', '.join(state.name) or 'no joint'}: rename the joints there, or in the contract"
            )
        return [values[name] for name in self._contract.joint_names]

    def _publish(self, values: list[float]) -> None:
        message, self._sent = self._command(), values
        if self._as_joints:
            message.name = list(self._contract.joint_names)
            setattr(message, MODE_FIELDS[self._contract.action.mode], values)
            message.header.stamp = self._node.get_clock().now().to_msg()
        else:
            message.data = values
        self._publisher.publish(message)

    def _connected(self) -> Any:
        if self._node is None:
            raise DriverError(f"ros2://{self._namespace} is not connected; call connect() first")
        return self._node


def _topic(signal: Signal) -> str:
    source = signal.measures
    return "joint_states" if source in JOINT_FIELDS else "imu" if source in IMU_SOURCES else f"signals/{signal.name}"


def _import(name: str) -> Any:
    from importlib import import_module

    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        raise DriverError(f"ros2:// needs '{error.name}': source a ROS 2 installation (setup.bash) first") from None
