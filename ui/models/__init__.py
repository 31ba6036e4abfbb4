"""Which models answer, where they are, and what is asked of them."""
