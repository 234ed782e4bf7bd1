"""Judge what was claimed by the policies of its tasks, in the claim's own transaction.

A gate is a row, and its lock makes the judgement the only one. In this order each is asked:

    cooldown   somebody has started a moment ago: skipped
    debounce   others may still come: put off, or skipped for the sake of one of them
    rate       too many have started: put off to the first free moment
    slots      too many run: held until one of them ends (see scheduling.slots)

Only what passes all of them leaves its mark in them: whoever has no slot has used up no start.
What does not pass waits again, or has ended, and its attempt is not counted. Nothing here needs to
be undone by anybody: what a worker had that died is running until it is rescued, and what it had
started has started. Tasks without policies are not looked at.
"""
