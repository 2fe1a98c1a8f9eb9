"""The loop between simulation and one machine: train, visit it, narrow the worlds by what was recorded, train again."""
