"""What happened, for others to hear.

All are sent with `send_robust` after the fact is stored: a receiver that raises changes nothing.
The sender of execution signals is the Execution class, of batch signals the Batch class. Except
for that of `batch_scattered`, the rows know little but their id, and are read when they are used.

    batch_scattered       batch
    batch_finished        batch, batch_id, status
    batch_paused          batch_id, reason (empty when somebody paused it)
    execution_scheduled   entries: the broker entries of one chunk that Redis has taken
    execution_started     execution, claim (id, task_name, attempt ...), worker
    execution_retried     execution, outcome, due_at
    execution_finished    execution, outcome: id, status, error_class ...
    broker_refused        error, count: a chunk that Redis did not take
    trouble_began         part ("broker", "database" or "worker"), error: at the first failure
    trouble_ended         part, seconds: how long it lasted
    executions_healed     reason ("worker lost", "never enqueued" ...), count
    schedule_refused      task_name, error: a declared schedule that makes none
    tasks_unknown         names, count: put aside for a worker that knows these tasks
    worker_started        worker
    worker_stopped        worker, reason, given_back: bodies that ran, and will run again
    process_ended         pid, code: a child of the supervisor; negative codes are signals
"""

from __future__ import annotations

from django.dispatch import Signal

batch_scattered = Signal()
batch_finished = Signal()
batch_paused = Signal()
execution_scheduled = Signal()
execution_started = Signal()
execution_retried = Signal()
execution_finished = Signal()
broker_refused = Signal()
trouble_began = Signal()
trouble_ended = Signal()
executions_healed = Signal()
schedule_refused = Signal()
tasks_unknown = Signal()
worker_started = Signal()
worker_stopped = Signal()
process_ended = Signal()
