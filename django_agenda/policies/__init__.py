"""How a task wants to be run: one habit a file."""
