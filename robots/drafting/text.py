"""The two YAML files of a drafted robot, as a person would write them: one line a joint, units in comments."""

from __future__ import annotations

from collections.abc import Iterable

from robots.drafting.design import CONTROL_DT, PHYSICS_DT, Design, DraftJoint


def robot_yaml(name: str, file: str, design: Design) -> str:
    """Return `robot.yaml`: contract, model and one task."""
    return "".join(
        [
            f"# Drafted from {file.rpartition('/')[2]}; lines marked 'assumed' are guesses.\n",
            f"description: {name}, drafted from its URDF.\n",
            "contract:\n",
            f"  robot: {name}\n",
            f"  control_dt: {CONTROL_DT:g}            # s\n",
            "  joints:                     # rad, N·m (prismatic: m, N); kp in N·m/rad, kd in N·m·s/rad\n",
            *map(_joint, design.joints),
            "  signals:\n",
            *_signals(design),
            *_action(design),
            "  needs_reward: false\n",
            *_model(file, design),
            "tasks:\n",
            *(_walk(design) if not design.fixed_base else _track(design)),
        ]
    )


def randomization_yaml(design: Design) -> str:
    """Return `randomization.yaml`: what usually differs between two specimens of a robot."""
    dry = 0.02 * min(joint.torque for joint in design.joints)
    viscous = 0.1 * min(joint.kd for joint in design.joints)
    driven = design.joints[0].name if len(design.joints) == 1 else "*"
    entries = [
        _entry("link_masses", "link_mass", "1", 0.8, 1.2, op="scale"),
        _entry("motor_gain", "motor_gain", "1", 0.8, 1.2, driven),
        _entry("motor_delay", "motor_delay", "s", 0.0, CONTROL_DT, driven),
        _entry("position_noise", "signal_noise", "rad", 0.0, 0.01, "joint_pos"),
        _entry("velocity_noise", "signal_noise", "rad/s", 0.0, 0.2, "joint_vel"),
    ]
    if not design.fixed_base:
        entries.insert(1, _entry("ground_friction", "lateral_friction", "1", 0.4, 1.25))
    if driven != "*" or not design.passive:  # a motor's friction would brake passive joints to a halt
        entries.append(_entry("dry_friction", "joint_coulomb", "N·m", 0.0, dry, driven))
        entries.append(_entry("viscous_friction", "joint_viscous", "N·m·s/rad", 0.0, viscous, driven))
    head = "# What may differ between this robot and the next; narrow it where you have measured.\nversion: 1\n"
    return f"{head}parameters:\n{''.join(entries)}"


def _joint(joint: DraftJoint) -> str:
    fields = (
        f"name: {joint.name}, default_pos: {_n(joint.default)}, pos_limit: [{_n(joint.low)}, {_n(joint.high)}], "
        f"vel_limit: {_n(joint.vel)}, torque_limit: {_n(joint.torque)}, kp: {_n(joint.kp)}, kd: {_n(joint.kd)}"
    )
    comment = f"  # assumed: {', '.join(joint.assumed)}" if joint.assumed else ""
    return f"    - {{{fields}}}{comment}\n"


def _signals(design: Design) -> Iterable[str]:
    n, low, high = len(design.joints), *_pos_range(design)
    vel = 10 * max(joint.vel for joint in design.joints)
    if not design.fixed_base:
        base = "size: 3, frame: base"
        yield f'    - {{name: projected_gravity, {base}, unit: "1", noise: 0.02, low: -2.0, high: 2.0}}\n'
        yield f"    - {{name: base_ang_vel_body, {base}, unit: rad/s, noise: 0.1, low: -200.0, high: 200.0}}\n"
    yield f"    - {{name: joint_pos, size: {n}, unit: rad, noise: 0.003, low: {_n(low)}, high: {_n(high)}}}\n"
    yield f"    - {{name: joint_vel, size: {n}, unit: rad/s, noise: 0.05, low: {_n(-vel)}, high: {_n(vel)}}}\n"
    if design.passive:
        size = len(design.passive)
        yield f"    - {{name: passive_joint_pos, size: {size}, unit: rad, noise: 0.003, low: -1000.0, high: 1000.0}}\n"
        yield f"    - {{name: passive_joint_vel, size: {size}, unit: rad/s, noise: 0.05, low: -200.0, high: 200.0}}\n"


def _pos_range(design: Design) -> tuple[float, float]:
    if design.mode == "velocity":
        return -1e4, 1e4  # wheels turn without end
    return min(joint.low for joint in design.joints) - 3.0, max(joint.high for joint in design.joints) + 3.0


def _action(design: Design) -> Iterable[str]:
    velocity = design.mode == "velocity"
    scale = [joint.vel if velocity else joint.scale for joint in design.joints]
    offset = [0.0 if velocity else joint.default for joint in design.joints]
    rate = [10 * s for s in scale] if velocity else [20 * s for s in scale]
    yield "  action:\n"
    yield f"    mode: {design.mode}\n"
    yield f"    scale: {_list(scale)}\n"
    yield f"    offset: {_list(offset)}\n"
    yield f"    rate_limit: {_list(rate)}    # per second\n"


def _model(file: str, design: Design) -> Iterable[str]:
    yield "model:\n"
    yield f"  file: {file}\n"
    yield f"  fixed_base: {str(design.fixed_base).lower()}\n"
    if not design.fixed_base:
        yield f"  base_pos: [0.0, 0.0, {_n(design.height)}]   # m: the lowest point touches the floor\n"
        yield f"  base_link: {design.base_link}\n"
        yield "  floor: true\n"
        yield "  camera: {distance: 1.5, yaw: 40.0, pitch: -20.0, target: [0.0, 0.0, 0.0], follow: true}\n"
    yield f"  physics_dt: {PHYSICS_DT:g}           # s\n"
    if design.passive:
        yield f"  passive_joints: {{{', '.join(f'{name}: 0.0' for name in design.passive)}}}\n"


def _track(design: Design) -> Iterable[str]:
    low, high = max(j.default - j.scale for j in design.joints), min(j.default + j.scale for j in design.joints)
    if high - low < 0.1:  # no angle suits all joints: the target is then a pose near the first joint's default
        low, high = design.joints[0].default - 0.1, design.joints[0].default + 0.1
    size, ends = len(design.joints), f"{_n(low)}, {_n(high)}"
    yield "  track_target:\n"
    yield f"    target_range: [{ends}]    # rad, of every joint\n"
    yield "    signals:\n"
    yield f"      - {{name: joint_pos_target, size: {size}, unit: rad, low: {_n(low)}, high: {_n(high)}}}\n"


def _walk(design: Design) -> Iterable[str]:
    yield "  walk:\n"
    yield f"    height: {_n(design.base_height)}           # m, of the base's frame\n"
    yield f"    fall_height: {_n(max(0.0, 0.4 * design.base_height))}\n"
    yield "    signals:\n"
    yield "      - {name: velocity_command, size: 3, unit: m/s and rad/s, frame: base, low: -5.0, high: 5.0}\n"


def _entry(name: str, parameter: str, unit: str, low: float, high: float, select: str = "*", op: str = "set") -> str:
    lines = [f"  {name}:", f"    parameter: {parameter}"]
    lines += [f'    select: "{select}"'] if select != "*" else []
    lines += [f"    op: {op}"] if op != "set" else []
    lines += [f'    unit: "{unit}"', f"    draw: {{distribution: uniform, low: {_n(low)}, high: {_n(high)}}}"]
    return "\n".join(lines) + "\n"


def _list(values: list[float]) -> str:
    return f"[{', '.join(map(_n, values))}]"


def _n(value: float) -> str:
    """A number with four digits that YAML reads as one."""
    text = f"{value:.4g}"
    return f"{float(text):.1f}" if "." not in text and "e" not in text else repr(float(text))
