"""Papers of the care side."""
