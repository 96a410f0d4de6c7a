"""Checks: a guide's pytest-testinfra tests, run on every student's machine at once."""
