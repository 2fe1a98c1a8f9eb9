"""What leaves for the robot: graphs, the bundle, its verification, and the runtime that drives it."""
