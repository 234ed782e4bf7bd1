"""Run one body, and tell how it ended."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import replace
from datetime import datetime, timedelta
from traceback import walk_tb
from typing import Any

from asgiref.sync import sync_to_async
from django.db import close_old_connections

from django_agenda.clock import monotonic, now
from django_agenda.conf import get_settings
from django_agenda.exceptions import RetryAsked
from django_agenda.models import errors
from django_agenda.models.execution import Execution
from django_agenda.signals import execution_started
from django_agenda.tasks.context import Context, running
from django_agenda.tasks.current import Current
from django_agenda.tasks.payload import decode, encode_result
from django_agenda.tasks.secrets import without

from .claim import FENCED, Claim, Outcome
from .context import execution_of
from .deadline import Deadlines
from .description import described, is_kind, secrets_in, shown
from .together import run_together, tidy

BAD_ARGUMENTS = "BadArguments"


class _TooLate(BaseException):
    """Stop before the body: on the way to it the moment has passed by which it had to begin."""


def run(claim: Claim, worker_name: str, deadlines: Deadlines, context: Context) -> Outcome:
    """Run a body in this thread; whatever it raises becomes the outcome."""
    if not claim.may_start:
        return fenced(claim)
    with running(context):
        return _with_words(_run(claim, worker_name, deadlines, context), context)


def _run(claim: Claim, worker_name: str, deadlines: Deadlines, context: Context) -> Outcome:
    started_at, began = _start(claim, worker_name)
    try:
        close_old_connections()
        if claim.task.atomic:
            return run_together(
                claim,
                lambda: _with_words(
                    _succeeded(claim, started_at, began, _called(claim, deadlines, context)),
                    context,
                ),
            )
        text = _called(claim, deadlines, context)
    except _TooLate:
        return fenced(claim)
    except BaseException as error:  # noqa: BLE001
        return _ended(claim, started_at, began, error, context)
    finally:
        tidy()
    return _succeeded(claim, started_at, began, text)


async def arun(claim: Claim, worker_name: str, context: Context) -> Outcome:
    """Run a coroutine in the running loop; see run()."""
    if not claim.may_start:
        return fenced(claim)
    with running(context):
        return _with_words(await _arun(claim, worker_name, context), context)


async def _arun(claim: Claim, worker_name: str, context: Context) -> Outcome:
    started_at, began = _start(claim, worker_name)
    try:
        args, kwargs = _arguments(claim, context)
        body = claim.task.function(*args, **kwargs)
        text = _encoded(await _limited(body, claim.task.timeout, context))
        _insist(context)
        if claim.schedule_id is not None:
            await sync_to_async(context.scatter)()
    except BaseException as error:  # noqa: BLE001
        return _ended(claim, started_at, began, error, context)
    return _succeeded(claim, started_at, began, text)


def _called(claim: Claim, deadlines: Deadlines, context: Context) -> str | None:
    args, kwargs = _arguments(claim, context)
    call = claim.task.function
    if claim.start is not None and not claim.may_start:
        raise _TooLate
    if claim.task.timeout is None:
        text = _encoded(call(*args, **kwargs))
    else:
        text = _encoded(deadlines.run(claim.task.timeout, lambda: call(*args, **kwargs)))
    _insist(context)
    if claim.schedule_id is not None:
        context.scatter()
    return text


def _with_words(outcome: Outcome, context: Context) -> Outcome:
    """Add what the body has said of its schedule and of how far it is."""
    if context.wish is None and context.reached is None:
        return outcome
    return replace(outcome, wish=context.wish, reached=context.reached)


def _arguments(claim: Claim, context: Context) -> tuple[Any, dict[str, Any]]:
    args = decode(claim.args)
    if claim.task.takes_context:
        args = claim.task.with_context(args, Current(context))
    return args, decode(claim.kwargs)


def _insist(context: Context) -> None:
    """Raise what the body was to end with; it may have swallowed that."""
    if context.asked is not None:
        raise context.asked


async def _limited(
    body: Coroutine[Any, Any, Any], limit: timedelta | None, context: Context
) -> Any:
    """Await the body in a task of its own: one that cancels itself cancels nothing of ours."""
    task = asyncio.ensure_future(body)
    stop = _once(task.cancel)
    loop = asyncio.get_running_loop()
    context.when_cancelled(lambda: loop.call_soon_threadsafe(stop))
    await asyncio.wait({task}, timeout=None if limit is None else limit.total_seconds())
    if task.done():
        return task.result()
    task.cancel()
    await asyncio.wait({task})
    raise TimeoutError(f"It took longer than {limit}")


def _once(call: Callable[[], object]) -> Callable[[], None]:
    """Return what calls it the first time only: a second cancel() would hit the body's clean-up."""
    calls = [call]

    def first() -> None:
        if calls:
            calls.pop()()

    return first


def _start(claim: Claim, worker_name: str) -> tuple[datetime, float]:
    if execution_started.has_listeners(Execution):
        row = execution_of(claim)
        execution_started.send_robust(Execution, execution=row, claim=claim, worker=worker_name)
    return now(), monotonic()


def _encoded(result: Any) -> str | None:
    if result is None:
        return None
    return encode_result(result, max_bytes=get_settings().MAX_PAYLOAD_BYTES)


def timed_out(claim: Claim, seconds: float, where: str) -> Outcome:
    """Return the outcome of a body that goes on after its time-out; `where` is its stack."""
    started_at, began = now() - timedelta(seconds=seconds), monotonic() - seconds
    error = TimeoutError(f"It took longer than {claim.task.timeout}, and did not heed that")
    outcome = _failed(claim, started_at, began, error)
    return replace(outcome, traceback=errors.storable(where, errors.MAX_TRACEBACK))


def fenced(claim: Claim) -> Outcome:
    """Return what gives a claim back that is not started; see Claim.may_start."""
    moment = now()
    return Outcome(claim=claim, status=FENCED, started_at=moment, finished_at=moment, run_ms=0)


def _succeeded(claim: Claim, started_at: datetime, began: float, text: str | None) -> Outcome:
    return Outcome(
        claim=claim,
        status=Execution.Status.SUCCEEDED.value,
        started_at=started_at,
        finished_at=now(),
        run_ms=_ms_since(began),
        return_value=text,
    )


def _ended(
    claim: Claim, started_at: datetime, began: float, error: BaseException, context: Context
) -> Outcome:
    if not context.is_cancelled or not is_kind(error, asyncio.CancelledError):
        if context.asked is not None:
            return _asked(claim, started_at, began, error, context.asked)
        return _failed(claim, started_at, began, error)
    return Outcome(
        claim=claim,
        status=Execution.Status.CANCELLED.value,
        started_at=started_at,
        finished_at=now(),
        run_ms=_ms_since(began),
    )


def _asked(
    claim: Claim, started_at: datetime, began: float, error: BaseException, asked: RetryAsked
) -> Outcome:
    """Return what lets it run again; what it was handling when it asked is told, and no failure."""
    cause = (asked.__cause__ or asked.__context__) if error is asked else error
    secrets, name, text = secrets_in(claim), "", ""
    message = without(asked.reason, secrets)
    if cause is not None and not is_kind(cause, BaseExceptionGroup):
        name, told, _, text = described(cause, secrets)
        message = message or told
    return Outcome(
        claim=claim,
        status=Execution.Status.SCHEDULED.value,
        started_at=started_at,
        finished_at=now(),
        run_ms=_ms_since(began),
        error_class=name,
        error_message=message,
        traceback=text,
        retry_at=asked.at,
        is_asked=True,
    )


def _failed(claim: Claim, started_at: datetime, began: float, error: BaseException) -> Outcome:
    is_late = is_kind(error, TimeoutError) and claim.task.timeout is not None
    stage = Execution.Stage.TIMEOUT.value if is_late else Execution.Stage.RUN.value
    secrets = secrets_in(claim)
    name, message, frames, text = described(error, secrets)
    retry_at, trouble = None, ""
    if is_kind(error, TypeError) and _does_not_fit(claim, error):
        # Another release's call: it fails in the same way however often it is tried.
        name = BAD_ARGUMENTS
    else:
        retry_at, trouble = _retry_at(claim, error)
    status = Execution.Status.FAILED if retry_at is None else Execution.Status.SCHEDULED
    return Outcome(
        claim=claim,
        status=status.value,
        started_at=started_at,
        finished_at=now(),
        run_ms=_ms_since(began),
        stage=stage,
        error_class=name,
        error_message=message + without(trouble, secrets),
        traceback=text,
        error_fingerprint=errors.fingerprint(stage, name, message, frames),
        retry_at=retry_at,
    )


def _does_not_fit(claim: Claim, error: BaseException) -> bool:
    """Tell whether the call itself failed, before the body, because of its arguments."""
    function = claim.task.function
    try:
        if any(frame.f_code is function.__code__ for frame, _ in walk_tb(error.__traceback__)):
            return False
        signature = claim.task.signature(follow_wrapped=False)
        signature.bind(*decode(claim.args), **decode(claim.kwargs))
    except TypeError:
        return True
    except BaseException:  # noqa: BLE001
        return False
    return False


def _retry_at(claim: Claim, error: BaseException) -> tuple[datetime | None, str]:
    """Return when to try again; a backoff that fails itself ends the execution and says so."""
    tries = claim.attempt - claim.crashes
    if tries >= claim.max_attempts:
        return None, ""
    try:
        wait = claim.task.retry.delay_after(tries, error)
        return (None if wait is None else now() + wait), ""
    except BaseException as failure:  # noqa: BLE001
        return None, f" (and its backoff failed: {shown(failure)})"


def _ms_since(began: float) -> int:
    return round((monotonic() - began) * 1000)
