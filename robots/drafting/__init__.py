"""Draft a robot's folder from its URDF: a beginning that the doctor accepts, or says why not."""
