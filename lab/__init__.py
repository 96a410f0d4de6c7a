"""A machine for every student of a class, in a known state and checked, through Vagrant."""

__version__ = "0.1.0"
