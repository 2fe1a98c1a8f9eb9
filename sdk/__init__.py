"""How does it learn and adapt? Networks, base learners, one file per paper, and the command line."""
