"""Who buys, what was ordered, and what we write to them."""

from __future__ import annotations

from django.db import models


class Customer(models.Model):
    """Hold a person who agreed to get our newsletter."""

    name = models.CharField(max_length=100)
    email = models.EmailField(unique=True)
    city = models.CharField(max_length=100)

    def __str__(self) -> str:
        return self.name


class Order(models.Model):
    """Hold what a customer bought; saving a new one starts its follow-ups (see signals.py)."""

    customer = models.ForeignKey(Customer, models.CASCADE, related_name="orders")
    total = models.DecimalField(max_digits=8, decimal_places=2)
    placed_at = models.DateTimeField(auto_now_add=True)
    paid_at = models.DateTimeField(null=True, blank=True)
    reserved_at = models.DateTimeField(null=True, blank=True, editable=False)

    def __str__(self) -> str:
        return f"order {self.pk}"


class Mailing(models.Model):
    """Hold one newsletter."""

    subject = models.CharField(max_length=200)
    text = models.TextField(help_text="{name} becomes the customer's name.")
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.subject
