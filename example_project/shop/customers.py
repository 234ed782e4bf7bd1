"""Where the customers come from: a file, as so often."""

from __future__ import annotations

import csv
from pathlib import Path

from .models import Customer

DATA = Path(__file__).resolve().parent / "data" / "customers.csv"


def load_customers() -> int:
    """Add the customers of the file that are not there yet, and return how many the file has."""
    with DATA.open(encoding="utf-8", newline="") as file:
        customers = [Customer(**row) for row in csv.DictReader(file)]
    Customer.objects.bulk_create(customers, ignore_conflicts=True)
    return len(customers)
