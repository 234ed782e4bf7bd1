"""Rows into the broker and out again: one verb a file.

This is one of the two doors between the database and Redis; the other is django_agenda.worker.
The row is written first and Redis told after the commit. What Redis was told of is marked on the
batch (`enqueued`), so that whoever finds the mark short of the rows can go on from there.
"""
