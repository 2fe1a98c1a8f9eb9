"""The robot-side runtime: NumPy and onnxruntime only."""
