"""One file, one way to reach a robot."""
