"""Importing this module registers every robot with Gymnasium as `simshift/<robot>-v0`.

Gymnasium itself does so on request: `gymnasium.make("robots.registration:simshift/servo_arm-v0")`. PyBullet is imported
only when an environment is made.
"""

from __future__ import annotations

import gymnasium

from robots.spec import robot_names


def register() -> None:
    """Register the robots that are not registered yet; safe to call again."""
    for name in robot_names():
        env_id = f"simshift/{name}-v0"
        if env_id not in gymnasium.registry:
            gymnasium.register(env_id, entry_point="robots.robot_env:RobotEnv", kwargs={"robot": name})


register()
