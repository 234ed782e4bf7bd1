from __future__ import annotations

import asyncio
import csv
import smtplib
from collections.abc import Callable
from email.message import EmailMessage
from pathlib import Path

import pytest

from example_project.shop import mailserver
from example_project.shop.mailserver import GONE, Provider, TokenBucket, serve

CUSTOMERS = Path(mailserver.__file__).parent / "data" / "customers.csv"


class Clock:
    moment = 0.0

    def __call__(self) -> float:
        return self.moment


def test_a_full_bucket_lets_a_burst_through_and_no_more() -> None:
    bucket = TokenBucket(rate=10, burst=3, clock=Clock())

    assert [bucket.take() for _ in range(5)] == [True, True, True, False, False]


def test_a_bucket_fills_at_its_rate() -> None:
    clock = Clock()
    bucket = TokenBucket(rate=4, burst=1, clock=clock)
    passed = 0

    for step in range(40):
        clock.moment = step / 16
        passed += bucket.take()

    assert passed == 10


def test_a_refusal_costs_nothing() -> None:
    clock = Clock()
    bucket = TokenBucket(rate=1, burst=1, clock=clock)
    assert bucket.take()

    for _ in range(100):
        bucket.take()
    clock.moment = 1.0

    assert bucket.take()


def test_a_long_silence_saves_up_no_more_than_a_burst() -> None:
    clock = Clock()
    bucket = TokenBucket(rate=10, burst=2, clock=clock)

    clock.moment = 3600.0

    assert [bucket.take() for _ in range(3)] == [True, True, False]


def test_the_provider_keeps_what_it_takes(tmp_path: Path) -> None:
    provider = Provider(tmp_path, limit=1, burst=5)

    def write(smtp: smtplib.SMTP) -> None:
        for _ in range(3):
            send(smtp, to="ann@example.com")

    visit(provider, write)

    assert provider.delivered == 3
    assert "To: ann@example.com" in (tmp_path / "000003.eml").read_text()


def test_the_provider_refuses_for_now_what_comes_faster_than_its_limit(tmp_path: Path) -> None:
    provider = Provider(tmp_path, limit=1, burst=2)

    def flood(smtp: smtplib.SMTP) -> None:
        send(smtp, to="ann@example.com")
        send(smtp, to="bob@example.com")
        with pytest.raises(smtplib.SMTPDataError, match=r"4\.7\.0 Rate limit .* 1 mails a second"):
            send(smtp, to="cas@example.com")

    visit(provider, flood)

    assert len(list(tmp_path.iterdir())) == provider.delivered == 2


def test_the_provider_refuses_for_good_an_address_that_is_gone(tmp_path: Path) -> None:
    provider = Provider(tmp_path, limit=1, burst=1)

    def knock(smtp: smtplib.SMTP) -> None:
        with pytest.raises(smtplib.SMTPRecipientsRefused) as refused:
            send(smtp, to=f"ann{GONE}")
        assert refused.value.recipients[f"ann{GONE}"][0] == 550

    visit(provider, knock)

    assert provider.delivered == 0


def test_one_customer_in_a_hundred_has_moved_away() -> None:
    with CUSTOMERS.open(encoding="utf-8", newline="") as file:
        addresses = [row["email"] for row in csv.DictReader(file)]

    gone = [address for address in addresses if address.endswith(GONE)]

    assert len(set(addresses)) == len(addresses) == 3000
    assert 20 <= len(gone) <= 40
    assert set(gone) & set(addresses[:39]), "the smallest demonstration needs one as well"


def visit(provider: Provider, act: Callable[[smtplib.SMTP], object]) -> None:
    """Let `act` talk to the provider over a real connection."""

    def talk(port: int) -> None:
        with smtplib.SMTP("127.0.0.1", port, local_hostname="shop.example.com", timeout=10) as smtp:
            act(smtp)

    async def run() -> None:
        ready: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        server = asyncio.create_task(serve(provider, port=0, ready=ready.set_result))
        try:
            await asyncio.to_thread(talk, await asyncio.wait_for(ready, 10))
        finally:
            server.cancel()
            await asyncio.gather(server, return_exceptions=True)

    asyncio.run(run())


def send(smtp: smtplib.SMTP, *, to: str) -> None:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "tea@shop.example.com", to, "First flush"
    mail.set_content("It is here.")
    smtp.send_message(mail)
