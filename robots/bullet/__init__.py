"""The PyBullet world of one robot: the only folder that imports pybullet."""
