"""The list of strikes, the page of one, and the form that adds one."""
