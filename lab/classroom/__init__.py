"""What a class is: its labs, its students, its guides, and what was found out about them."""
