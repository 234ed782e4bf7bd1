"""The list of batches, and the page of one: its plan against what happened."""
