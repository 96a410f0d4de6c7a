"""What lab can do for a class: each a short sequence of named steps. Prints nothing."""
