"""A new batch from the admin: filled in, looked at, and scattered as it was looked at.

The preview writes nothing. It fixes what would otherwise change until somebody confirms, the start
and the seed, and signs that together with what was filled in: a confirmation of anything else is
another preview.
"""
