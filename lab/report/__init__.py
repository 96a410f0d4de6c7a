"""What people and programs get to see: pure functions of results, and live progress."""
