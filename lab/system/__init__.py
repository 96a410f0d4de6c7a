"""The computer that lab runs on: processes, threads, files and the lock.

Knows nothing of classes.
"""
