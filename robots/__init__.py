"""Which machine, doing what? Contract, signals, actuators, simulated worlds, tasks and drivers."""
