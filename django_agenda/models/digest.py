"""What was counted of a large batch after its end."""

from __future__ import annotations

from django.db import models

from .batch import Batch


class Digest(models.Model):
    """Hold what the page of a batch draws, as scheduling/digest.py writes it.

    `version` is the one that the batch had when it was counted: with another one it says nothing.
    """

    batch = models.OneToOneField(Batch, models.CASCADE, primary_key=True, related_name="digest")
    version = models.PositiveBigIntegerField()
    text = models.TextField()

    class Meta:
        verbose_name = "digest"
        default_permissions = ()

    def __str__(self) -> str:
        return f"digest of batch {self.batch_id}"
