"""A machine for every student of a class, each in a known state and each checked, through Vagrant."""

__version__ = "0.1.0"
