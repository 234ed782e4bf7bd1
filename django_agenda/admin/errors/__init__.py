"""The kinds of errors of a week over all batches, and what somebody made of each of them.

A kind of error is what one fingerprint stands for. It is counted from the executions that stand
with it: what was retried, or succeeded in the end, counts no more. The number of statements
depends neither on the executions nor on the kinds.
"""
