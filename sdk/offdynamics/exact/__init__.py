"""Worlds in which the corrected reward, the best policy under it and its cost are numbers, not estimates."""
