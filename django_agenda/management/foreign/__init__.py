"""Schedules of other libraries: read from their tables, which need not be installed any more.

A reader gives what it finds as `Found`, in the words of our own definitions, or as `Left`, with the
reason why it cannot be carried. Nothing is unpickled, and nothing but a literal is evaluated.
"""
