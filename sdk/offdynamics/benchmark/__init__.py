"""What a correction is judged against: the same problem, the same budget, without it."""
