"""The MuJoCo world of one robot: the only folder that imports mujoco."""
