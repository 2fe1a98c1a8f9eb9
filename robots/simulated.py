"""A simulated robot: a physics engine's world, actuators and sensors, stepped through its contract."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from domain_rand.parameters import Group
from domain_rand.schema import ConfigError
from robots.actuator_bank import ActuatorBank
from robots.contract import Contract
from robots.disturbances import Disturbances
from robots.engines import open_world
from robots.quantities import Quantities, nominal_drives
from robots.rotation import IDENTITY
from robots.safety import Limiter
from robots.signals import SignalPipe
from robots.sources import Reader, find_source
from robots.spec import RobotSpec
from robots.task import Signals, Start
from robots.view import RobotView

Effect = Callable[[float, Sequence[float], Sequence[float]], list[float]]
"""An unmodelled torque per joint [N·m] at (time since episode start [s], joint_pos [rad], joint_vel [rad/s])."""

_STILL = (0.0, 0.0, 0.0)


class SimulatedRobot:
    """The robot as its driver sees it: command in, signals out; and as the randomiser sees it: named quantities.

    `view` is what tasks see; `time` is that since the episode's start, `physics_dt` the period of the drives [s].
    """

    def __init__(self, spec: RobotSpec, effect: Effect | None = None) -> None:
        self.contract: Contract = spec.contract
        self._effect = effect
        self.physics_dt, self._physics_steps = spec.model.physics_dt, spec.physics_steps
        self._defaults = [*(joint.default_pos for joint in spec.contract.joints), *spec.model.passive_joints.values()]
        self.world = open_world(spec)
        self.limiter = Limiter(self.contract)
        drives, driven = nominal_drives(spec), len(self.contract.joints)
        self.bank = ActuatorBank(drives, self.physics_dt, self.contract.action.mode, driven)
        self.pipe = SignalPipe(self.contract)
        self.disturbances = Disturbances(self.physics_dt, self._physics_steps)
        self.view = RobotView(self.contract, self.world)
        self.view.sent_command = self.limiter.last
        self._quantities = Quantities(spec, self.world, self.bank, self.pipe, self.disturbances, self.view.goal)
        self._readers = self._find_readers(spec.task.task.signals(driven))

    def start(self, start: Start, rng: np.random.Generator) -> None:
        """Begin an episode; no reload. From now on `rng` belongs to its sensors."""
        rest = [0.0] * len(self._defaults)
        offset = [*start.joint_offset, *rest[len(start.joint_offset) :]]
        vel = [*start.joint_vel, *rest[len(start.joint_vel) :]]
        self.world.reset([default + extra for default, extra in zip(self._defaults, offset, strict=True)], vel)
        self._place(start)
        self.limiter.reset()
        self.time = 0.0
        self._arrived = self.limiter.last
        self.disturbances.start(rng)
        self.bank.supply_sag = self.disturbances.world.supply_sag
        self.bank.start(self.limiter.last)
        self.pipe.start(rng)
        self._adopt(again=True)
        self.view.refresh(self.limiter.last, self.time)

    def refresh(self) -> None:
        """Let quantities written within an episode act from now on."""
        if not self.disturbances.active:
            self._arrived = self.limiter.last
        self.disturbances.refresh()
        self.bank.supply_sag = self.disturbances.world.supply_sag
        self.bank.refresh()
        self.pipe.refresh()
        self._adopt(again=False)

    def step(self, command: Sequence[float]) -> list[float]:
        """Hold a command [contract unit] for one control period; returns what was sent after clamping.

        Raises `UnsafeCommand` when the command is not finite.
        """
        sent = self.limiter(command)
        if self._effect is None and not self.disturbances.active:
            steps = self._physics_steps
            self.bank.hold(sent, steps)
            self.world.run(self.bank.torque, steps, self.bank.acting)
            self.time += self.contract.control_dt
        else:
            self._step_disturbed(sent)
        self.view.refresh(sent, self.time)
        return sent

    def observe(self, command_signals: Signals) -> np.ndarray:
        """Return the sensed signals as one float32 vector in contract order; call once a control period."""
        truth: list[float] = []
        for name, read in self._readers:
            truth += command_signals[name] if read is None else read(self.view)
        return self.pipe.observe(truth)

    def names(self, group: Group) -> tuple[str, ...]:
        """Names that carry a property of this group."""
        return self._quantities.names(group)

    def nominal(self, group: Group, name: str, field: str) -> float:
        """The un-randomised value."""
        return self._quantities.nominal(group, name, field)

    def write(self, group: Group, name: str, field: str, value: float) -> None:
        """Set a property; those of drives, sensors and surroundings act from the next `start` or `refresh`."""
        self._quantities.write(group, name, field, value)

    def read(self, group: Group, name: str, field: str) -> float:
        """Return a property as it stands."""
        return self._quantities.read(group, name, field)

    def close(self) -> None:
        """Release the simulator."""
        self.world.close()

    def _step_disturbed(self, sent: list[float]) -> None:
        """One control period with everything that may come between a command and the motion."""
        world, outside, effect = self.world, self.disturbances, self._effect
        steps = outside.steps()
        if not outside.loses_command():
            self._arrived = sent
        self.bank.hold(self._arrived, steps)
        for _ in range(steps):
            force = outside.push(self.time) if outside.active else None
            if force is not None:
                world.push(force)
            torques = self.bank.torque(world.states)
            if effect is not None:
                extra = effect(self.time, world.joint_pos, world.joint_vel)
                torques = [a + b for a, b in zip(torques, extra, strict=True)]
            world.step(torques)
            self.time += self.physics_dt

    def _place(self, start: Start) -> None:
        moved = (start.base_offset, start.base_turn, start.base_lin_vel, start.base_ang_vel)
        if moved != (_STILL, IDENTITY, _STILL, _STILL):
            self.world.place_base(*moved)
        for name, pose in start.objects.items():
            self.world.place_object(name, *pose)

    def _adopt(self, again: bool) -> None:
        """Take over what is neither torque nor reading: jammed joints, encoder offsets, the base's load."""
        offsets = [drive.encoder_offset for drive in self.bank.actuators]
        self.view.encoder_offset = offsets if any(offsets) else None
        locked = {
            name for name, drive in zip(self.world.joint_names, self.bank.actuators, strict=True) if drive.locked > 0.5
        }
        self.world.lock(locked)
        self.world.load_base(again)

    def _find_readers(self, command_signals: dict[str, int]) -> list[tuple[str, Reader | None]]:
        """Find what each signal reads: a source of the robot, or None for a command signal of the task."""
        readers: list[tuple[str, Reader | None]] = []
        for signal in self.contract.signals:
            source = signal.measures
            read = None if source in command_signals else find_source(source, tuple(command_signals))
            size = command_signals[source] if read is None else len(read(self.view))
            if size != signal.size:
                raise ConfigError(f"signal {signal.name}: size is {signal.size}, its source {source} has {size}")
            readers.append((source, read))
        return readers
