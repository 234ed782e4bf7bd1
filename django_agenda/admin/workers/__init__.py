"""Which processes there are, what they run, how busy they were, and what they are asked for."""
