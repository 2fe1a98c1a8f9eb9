"""The simulated robot as hardware: a process of its own that is reached over UDP and keeps the score to itself."""
