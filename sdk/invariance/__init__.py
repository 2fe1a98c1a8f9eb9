"""Observation features that look alike in simulation and on the robot; what tells the dynamics is left alone."""
