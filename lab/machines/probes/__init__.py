"""Probes of this computer for `lab doctor`: each tries one thing that machines depend on.

A probe is a function that returns a `Verdict`; it changes nothing, but for temporary folders.
"""
