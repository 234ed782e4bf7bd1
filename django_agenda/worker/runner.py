"""Run one body, and tell how it ended."""

from __future__ import annotations

import asyncio
import inspect
import traceback
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from traceback import walk_tb
from typing import Any

from asgiref.sync import sync_to_async
from django.db import close_old_connections

from django_agenda.clock import monotonic, now
from django_agenda.conf import get_settings
from django_agenda.models import errors
from django_agenda.models.execution import Execution
from django_agenda.signals import execution_started
from django_agenda.tasks.current import Context, running
from django_agenda.tasks.payload import decode, encode_result
from django_agenda.tasks.secrets import secrets_of, without

from .claim import FENCED, Claim, Outcome
from .deadline import Deadlines
from .together import run_together, tidy

BAD_ARGUMENTS = "BadArguments"
_PROJECT_FRAMES = 5


class _TooLate(BaseException):
    """Stop before the body: on the way to it the moment has passed by which it had to begin."""


def run(claim: Claim, worker_name: str, deadlines: Deadlines, context: Context) -> Outcome:
    """Run a body in this thread; whatever it raises becomes the outcome."""
    if not claim.may_start:
        return fenced(claim)
    with running(context):
        return _with_wish(_run(claim, worker_name, deadlines, context), context)


def _run(claim: Claim, worker_name: str, deadlines: Deadlines, context: Context) -> Outcome:
    started_at, began = _start(claim, worker_name)
    try:
        close_old_connections()
        if claim.task.atomic:
            return run_together(
                claim,
                lambda: _with_wish(
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
        return _with_wish(await _arun(claim, worker_name, context), context)


async def _arun(claim: Claim, worker_name: str, context: Context) -> Outcome:
    started_at, began = _start(claim, worker_name)
    try:
        args, kwargs = decode(claim.args), decode(claim.kwargs)
        body = claim.task.function(*args, **kwargs)
        text = _encoded(await _limited(body, claim.task.timeout, context))
        if claim.schedule_id is not None:
            await sync_to_async(context.scatter)()
    except BaseException as error:  # noqa: BLE001
        return _ended(claim, started_at, began, error, context)
    return _succeeded(claim, started_at, began, text)


def _called(claim: Claim, deadlines: Deadlines, context: Context) -> str | None:
    args, kwargs = decode(claim.args), decode(claim.kwargs)
    call = claim.task.function
    if claim.start is not None and not claim.may_start:
        raise _TooLate
    if claim.task.timeout is None:
        text = _encoded(call(*args, **kwargs))
    else:
        text = _encoded(deadlines.run(claim.task.timeout, lambda: call(*args, **kwargs)))
    if claim.schedule_id is not None:
        context.scatter()
    return text


def _with_wish(outcome: Outcome, context: Context) -> Outcome:
    return outcome if context.wish is None else replace(outcome, wish=context.wish)


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
    execution_started.send_robust(Execution, claim=claim, worker=worker_name)
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
    if not context.is_cancelled or not _is(error, asyncio.CancelledError):
        return _failed(claim, started_at, began, error)
    return Outcome(
        claim=claim,
        status=Execution.Status.CANCELLED.value,
        started_at=started_at,
        finished_at=now(),
        run_ms=_ms_since(began),
    )


def _failed(claim: Claim, started_at: datetime, began: float, error: BaseException) -> Outcome:
    is_late = _is(error, TimeoutError) and claim.task.timeout is not None
    stage = Execution.Stage.TIMEOUT.value if is_late else Execution.Stage.RUN.value
    secrets = _secrets(claim)
    name, message, frames, text = _described(error, secrets)
    retry_at, trouble = None, ""
    if _is(error, TypeError) and _does_not_fit(claim, error):
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


def _is(error: BaseException, kind: type[BaseException]) -> bool:
    """Tell whether it is of this kind; an error may answer isinstance() with another error."""
    return issubclass(type(error), kind)


def _does_not_fit(claim: Claim, error: BaseException) -> bool:
    """Tell whether the call itself failed, before the body, because of its arguments."""
    function = claim.task.function
    try:
        if any(frame.f_code is function.__code__ for frame, _ in walk_tb(error.__traceback__)):
            return False
        signature = inspect.signature(function, follow_wrapped=False)
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
        return None, f" (and its backoff failed: {_shown(failure)})"


def _shown(failure: BaseException) -> str:
    try:
        return errors.storable(repr(failure), 500)
    except BaseException:  # noqa: BLE001
        return type(failure).__name__


def _secrets(claim: Claim) -> list[str]:
    try:
        return secrets_of(claim.task, decode(claim.args), decode(claim.kwargs))
    except Exception:  # noqa: BLE001
        return []  # these arguments never came to the body


def _described(error: BaseException, secrets: Sequence[str]) -> tuple[str, str, list[str], str]:
    """Return class, message, frames and traceback, of an error that may refuse to be printed."""
    try:
        name = errors.storable(errors.class_name(type(error)), 255)
    except BaseException:  # noqa: BLE001
        name = "Exception"
    try:
        message = errors.storable(without(str(error), secrets), errors.MAX_MESSAGE)
    except BaseException as failure:  # noqa: BLE001
        message = f"(its message cannot be printed: {type(failure).__name__})"
    try:
        stack = [
            one for one in traceback.extract_tb(error.__traceback__) if one.filename != __file__
        ]
        frames = [f"{frame.filename}:{frame.name}" for frame in stack[-_PROJECT_FRAMES:]]
        text = "".join(traceback.format_exception(error, limit=-50, chain=_is_short(error)))
        return name, message, frames, errors.storable(without(text, secrets), errors.MAX_TRACEBACK)
    except BaseException as failure:  # noqa: BLE001
        return name, message, [], f"(its traceback cannot be printed: {type(failure).__name__})"


def _is_short(error: BaseException) -> bool:
    """Tell whether the chain of causes is short enough to be printed."""
    seen = 0
    cause: BaseException | None = error
    while cause is not None and seen < 20:
        cause, seen = cause.__cause__ or cause.__context__, seen + 1
    return cause is None


def _ms_since(began: float) -> int:
    return round((monotonic() - began) * 1000)
