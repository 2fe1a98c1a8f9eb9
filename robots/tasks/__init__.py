"""One file, one task: what the robot is asked to do, and how well it did."""
