"""A mail provider on this machine: a real SMTP server that has a limit and knows its mailboxes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from time import monotonic

from aiosmtpd.smtp import SMTP, Envelope, Session

NO_MAILBOX = "550 5.1.1 There is no such mailbox"
DELIVERED = "250 2.0.0 Delivered"
GONE = "@gone.example.net"


class TokenBucket:
    """Let `rate` through in a second, and `burst` at once after a silence; both above 0."""

    def __init__(
        self, *, rate: float, burst: float, clock: Callable[[], float] = monotonic
    ) -> None:
        self._rate, self._burst, self._clock = rate, burst, clock
        self._tokens, self._filled_at = burst, clock()

    def take(self) -> bool:
        """Tell whether one more may pass now; what is refused costs nothing."""
        moment = self._clock()
        filled = self._tokens + (moment - self._filled_at) * self._rate
        self._tokens, self._filled_at = min(filled, self._burst), moment
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


class Provider:
    """Answer as a mail provider does, and keep what it takes as numbered .eml files in `folder`.

    An address at GONE is refused for good (550). What comes faster than `limit` mails a second is
    refused for now (451), but for a `burst` of so many after a silence.
    """

    def __init__(self, folder: Path, *, limit: int, burst: int) -> None:
        self.delivered = 0
        self._folder, self._limit = folder, limit
        self._bucket = TokenBucket(rate=limit, burst=burst)
        folder.mkdir(parents=True, exist_ok=True)

    async def handle_RCPT(  # noqa: N802  aiosmtpd looks for this name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Refuse a mailbox that is not there."""
        if address.endswith(GONE):
            return NO_MAILBOX
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(  # noqa: N802  aiosmtpd looks for this name
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        """Take the mail, or refuse it when too many came before it."""
        if not self._bucket.take():
            return f"451 4.7.0 Rate limit exceeded: at most {self._limit} mails a second"
        self.delivered += 1
        content = envelope.original_content or b""
        (self._folder / f"{self.delivered:06}.eml").write_bytes(content)
        return DELIVERED


async def serve(
    provider: Provider, *, host: str = "127.0.0.1", port: int, ready: Callable[[int], object]
) -> None:
    """Listen until cancelled; `port` 0 takes a free one, and `ready` is told which it became."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: SMTP(provider, hostname="mail.example.com", ident="ESMTP", loop=loop), host, port
    )
    async with server:
        ready(server.sockets[0].getsockname()[1])
        await server.serve_forever()
