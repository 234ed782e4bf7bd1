"""Tracebacks without the frames of others."""

from __future__ import annotations

from django_agenda.admin.executions.tracebacks import own_frames

OWN = """  File "/srv/shop/tasks.py", line 31, in send_reminder
    server.send_message(mail)
    ~~~~~~~~~~~~~~~~~~~^^^^^^
"""
OURS = """  File "/srv/lib/python3.13/site-packages/django_agenda/runner.py", line 9, in run
    call()
"""
STANDARD = """  File "/usr/lib/python3.13/smtplib.py", line 877, in send_message
    raise SMTPRecipientsRefused(senderrs)
  [Previous line repeated 4 more times]
"""
HEAD, END = "Traceback (most recent call last):\n", "smtplib.SMTPRecipientsRefused: 550\n"


def test_only_frames_of_the_project_are_left() -> None:
    assert own_frames(HEAD + OURS + OWN + STANDARD + END) == HEAD + OWN + END


def test_each_of_a_chain_keeps_its_own() -> None:
    between = "\nDuring handling of the above exception, another exception occurred:\n\n"
    chain = HEAD + OWN + STANDARD + END + between + HEAD + OURS + OWN + END

    assert own_frames(chain) == HEAD + OWN + END + between + HEAD + OWN + END


def test_without_a_difference_there_is_nothing_to_show() -> None:
    assert own_frames(HEAD + OWN + END) == ""
    assert own_frames(HEAD + STANDARD + END) == ""
    assert own_frames("") == ""
