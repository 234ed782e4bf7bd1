"""What waits in each queue, what Redis holds of it, and whether all of that agrees."""

from __future__ import annotations
