"""`manage.py make_customers`: write shop/data/customers.csv anew; the same seed, the same file."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from random import Random
from typing import Any
from unicodedata import normalize

from django.core.management.base import BaseCommand, CommandParser

from shop.customers import DATA
from shop.mailserver import GONE

FIRST = """Aiko Amara Anaïs Andrei Anouk Aoife Arjun Aylin Bashir Beatriz Bilal Björn Carmen Chidi
Chloé Dalia Daniel Darya Diego Dunja Elif Emeka Emil Esther Farid Fatima Finn Freya Gabriel Giulia
Hanna Hassan Hiro Ida Ines Ivan Jamal Jana Javier Jin Joana Jonas Kaia Karim Katya Kwame Laila Lars
Leila Linh Luca Lucía Maja Malik María Marek Mateo Mei Milan Mina Nadia Naoki Nora Olga Omar Oscar
Paula Pedro Petra Priya Rafael Rana Rosa Samir Sana Sofia Sven Tariq Tomás Uma Vera Wanjiru Yara
Yuki Zainab Zoë"""
LAST = """Abara Acosta Adeyemi Aguilar Ahmadi Andersen Banerjee Baptiste Becker Bianchi Castro Chen
Costa Demir Diallo Dimitrov Dubois Eriksen Farah Ferrari Fischer García Gupta Haddad Hansen Herrera
Horvat Ivanov Jansen Kaya Keller Kim Kowalski Larsen Lê Lindgren López Mancini Mbeki Méndez Meyer
Moreau Müller Murphy Nakamura Nguyen Novák Nowak Okafor Olsen Park Patel Pereira Petrov Popescu
Ramos Rossi Santos Sato Schmidt Silva Singh Sørensen Tanaka Torres Vargas Virtanen Weber Yamamoto
Zhang"""
CITIES = """Accra Aarhus Bergen Bilbao Bologna Bristol Cork Dresden Dubrovnik Faro Galway Ghent Graz
Haifa Izmir Kyoto Leipzig Lille Lyon Malmö Nantes Oslo Porto Riga Rouen Split Tartu Turku Utrecht
Valparaíso Vilnius Wrocław"""
DOMAINS = ("example.com", "example.net", "example.org")


class Command(BaseCommand):
    """Make up customers, about one in a hundred of whom has moved from their address."""

    help = "Write the customers' file anew."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        """Take how many, and the seed."""
        parser.add_argument("--count", type=int, default=3000)
        parser.add_argument("--seed", type=int, default=2)

    def handle(self, *, count: int, seed: int, **options: Any) -> None:
        """Write the file."""
        with DATA.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(("name", "email", "city"))
            writer.writerows(_customers(count, Random(seed)))
        self.stdout.write(f"{count} customers in {DATA}")


def _customers(count: int, rng: Random) -> Iterator[tuple[str, str, str]]:
    first_names, last_names, cities = FIRST.split(), LAST.split(), CITIES.split()
    seen: dict[str, int] = {}
    for _ in range(count):
        first, last = rng.choice(first_names), rng.choice(last_names)
        mailbox = _ascii(f"{first}.{last}")
        seen[mailbox] = seen.get(mailbox, 0) + 1
        number = seen[mailbox] if seen[mailbox] > 1 else ""
        domain = GONE if rng.random() < 0.01 else f"@{rng.choice(DOMAINS)}"
        yield f"{first} {last}", f"{mailbox}{number}{domain}", rng.choice(cities)


def _ascii(text: str) -> str:
    plain = text.lower().replace("ø", "o").replace("ł", "l")
    return normalize("NFKD", plain).encode("ascii", "ignore").decode()
