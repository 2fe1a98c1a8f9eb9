"""Base learners and the pure maths they are made of."""
