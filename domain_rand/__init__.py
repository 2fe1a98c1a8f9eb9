"""Which worlds? Distributions over physical parameters, drawn by key and always from nominal."""
