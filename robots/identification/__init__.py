"""A simulator held against logs: short predictions from recorded states, for any parameters of its worlds."""
