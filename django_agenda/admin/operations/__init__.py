"""The list of operations, and the page of one."""
