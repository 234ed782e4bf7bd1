"""The process: claim, run, record.

This is the other of the two doors between the database and Redis. An execution passes through

    claimer    pops ids from the broker, then claims their rows in one transaction
    alarm      holds what is not due yet, and lets go of it at its exact moment
    pools      threads and one asyncio loop, which run the bodies
    recorder   stores outcomes and counts in one transaction for many, then tells the broker

The row decides: a claim is one guarded UPDATE that takes the row from waiting to running, raises
`attempts` and writes `claimed_by`. Whoever stores an outcome names both, so that a worker which
was declared lost, and comes back, changes nothing. A claim holds as long as its worker's
heartbeat is younger than WORKER_TTL by the database's clock; the caretaker of another worker
rescues the rest.

    dies before the claim commits     the id is gone from Redis, the row waits: overdue scan
    dies after the claim              the row is running under a dead worker: rescue
    dies before the outcome commits   the same; the body runs again
    dies before Redis hears           a retry waits in the row only: overdue scan

On the command line this runs in processes of a supervisor, which has no threads, so it can always
fork, and does no I/O on a server, so it never hangs.

    child        claims, runs and records; what it runs stands on a board in shared memory
    cpu child    runs one body after the other for one child, over a socket
    undertaker   settles what a child that died had in its hands, and ends

    child dies                 what ran is blamed (crashes + 1), the rest given back uncounted
    body heeds no time-out     the child claims no more, another takes over; it ends with its other
                               bodies, and only then is a retry of that one scheduled
    body holds the interpreter the supervisor kills the child; the other bodies are innocent
    supervisor dies            the line to it breaks: its children drain
"""
