"""`lab doctor`: everything that a class depends on, tried, and mended where that harms nobody."""
