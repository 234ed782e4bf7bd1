from __future__ import annotations

from datetime import timedelta

from django_agenda.broker.entry import Entry
from django_agenda.clock import monotonic, now
from django_agenda.models import Worker
from django_agenda.scheduling.leave import Start
from django_agenda.tasks.reached import Reached
from django_agenda.worker.claim import Claim, Outcome, Recorded
from django_agenda.worker.cpu_wire import pack_claim, pack_outcome, unpack_claim, unpack_outcome
from django_agenda.worker.lease import Lease
from tests.process_tasks import compute

CLAIM = Claim(
    id="0" * 32,
    batch_id=5,
    task_name=compute.name,
    args='["ä"]',
    kwargs="{}",
    attempt=2,
    max_attempts=3,
    crashes=1,
    due_at=now(),
    expires_ms=None,
    key="key",
    queue_name="default",
    priority=-1,
    task=compute,
    starts=1.5,
    lease=Lease(Worker(name="w")),
)


def test_a_claim_arrives_as_it_was() -> None:
    claim = unpack_claim(pack_claim(CLAIM))

    assert claim._replace(lease=CLAIM.lease) == CLAIM
    assert claim.lease.worker == CLAIM.lease.worker
    assert claim.lease.worker.name == "w"
    assert claim.lease.is_trusted


def test_a_body_that_is_late_for_its_rate_is_late_in_the_other_process_as_well() -> None:
    late = CLAIM._replace(starts=monotonic() - 2, start=Start("0" * 32, 5, 1_000_000))
    early = late._replace(starts=monotonic() + 60)

    assert unpack_claim(pack_claim(late)).start == late.start
    assert not unpack_claim(pack_claim(late)).may_start
    assert unpack_claim(pack_claim(early)).may_start


def test_an_outcome_arrives_as_it_was() -> None:
    outcome = Outcome(
        claim=CLAIM,
        status="scheduled",
        started_at=now(),
        finished_at=now() + timedelta(seconds=1),
        run_ms=1000,
        error_message="\ud800 is no text",
        retry_at=now() + timedelta(hours=1),
        is_asked=True,
        reached=Reached(3, None, "ä"),
        recorded=Recorded({"a", "b"}, [Entry("a", "default", 5, 0)], set()),
    )

    assert unpack_outcome(CLAIM, pack_outcome(outcome, goes_on=False)) == (outcome, False)
