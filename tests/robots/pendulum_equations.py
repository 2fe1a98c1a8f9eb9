"""The double pendulum's equations of motion, written out by hand from the published parameters."""

from __future__ import annotations

import numpy as np

M1, L1, R1, I1, B1, CF1 = 0.5476215952387185, 0.2, 0.2, 0.024210710672023246, 0.011078054769767294, 0.09284176227841016
M2, R2, I2, B2, CF2 = 0.5978621372377623, 0.275, 0.053450262258304355, 0.004396496974140761, 0.07708291842936994
IR, GR, G = 6.287203962819607e-05, 6.0, 9.81
COUPLING = M2 * L1 * R2


def mass_matrix(pos: np.ndarray, rotor: float = IR) -> np.ndarray:
    """Of links and geared rotors, `[2, 2]` [kg·m²]."""
    shared = COUPLING * np.cos(pos[1])
    m11 = I1 + I2 + M2 * L1**2 + 2 * shared + (GR**2 + 1) * rotor
    m12 = I2 + shared - GR * rotor
    return np.array([[m11, m12], [m12, I2 + GR**2 * rotor]])


def bias(pos: np.ndarray, vel: np.ndarray) -> np.ndarray:
    """Coriolis, centrifugal and gravity torque, `[2]` [N·m]."""
    swirl = COUPLING * np.sin(pos[1])
    lower = G * M2 * R2 * np.sin(pos.sum())
    upper = G * (M1 * R1 + M2 * L1) * np.sin(pos[0])
    return np.array([-swirl * vel[1] * (2 * vel[0] + vel[1]) + upper + lower, swirl * vel[0] ** 2 + lower])


def energy(pos: np.ndarray, vel: np.ndarray, rotor: float = IR) -> float:
    """Kinetic and potential, the latter from straight down [J]."""
    height = M1 * R1 * (1 - np.cos(pos[0])) + M2 * (L1 * (1 - np.cos(pos[0])) + R2 * (1 - np.cos(pos.sum())))
    return float(0.5 * vel @ mass_matrix(pos, rotor) @ vel + G * height)
