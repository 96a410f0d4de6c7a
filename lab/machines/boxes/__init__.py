"""Boxes: which ones lab can build, how they are built and packed, and which ones Vagrant has."""
