"""What is due when, and who holds it: the only code that talks to Redis.

The database is the truth and Redis the alarm clock. Redis holds ids and moments, nothing else; a
pop is final, and what is popped and then lost is found again by the overdue scan of the
caretaker. An entry that is lost, doubled or stale can do no harm, because the claim of the row
decides who runs it.

    {prefix}:due:<queue>     sorted set   id by due_ms * 256 + (100 - priority)
    {prefix}:ready:<queue>   sorted set   id by (100 - priority) * 2**42 + due_ms, under backlog
    {prefix}:wake:<queue>    list         at most one token: the head became earlier
    {prefix}:wake            list         at most one token: there is a new queue
    {prefix}:queues          set          names of the queues that were ever used
    {prefix}:paused          set          names of the queues that nothing is popped from
    {prefix}:filled          string       run_id of the server that holds everything

All keys share one hash tag, so that they live on one node of a cluster.
"""
