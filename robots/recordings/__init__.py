"""Recordings of runs: what they hold, the files they are kept in, and how they are read as logs."""
