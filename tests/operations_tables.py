"""The table of metrics in docs/operations.md. `python -m tests.operations_tables` writes it."""

import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

import msgspec
from cryptography.fernet import Fernet
from pydantic import SecretStr

from app.observing.stocktaking import Stocktaking
from app.service import Service
from app.settings import Settings
from app.store.stock import Stock

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "operations.md"


class Described(msgspec.Struct, frozen=True, order=True):
    """A metric as Prometheus sees it: a counter by the name that ends in `_total`."""

    name: str
    kind: str
    labels: tuple[str, ...]
    help: str


def described() -> list[Described]:
    """Every metric of ours that a service has, by name, those without any value yet too."""
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/evse-status.db"
        service = Service(Settings(database_url=url, secret_key=SecretStr(Fernet.generate_key().decode("ascii"))))
    return sorted(_described(service))


def _described(service: Service) -> Iterator[Described]:
    for collector in service.metrics.registry._collector_to_names:
        if isinstance(collector, Stocktaking):
            collector._stock = Stock(0, None, 0, [])
        for family in collector.collect():
            if family.name.startswith("evse_status_"):
                name = f"{family.name}_total" if family.type == "counter" else family.name
                labels = (*getattr(family, "_labelnames", ()), *getattr(collector, "_labelnames", ()))
                yield Described(name, family.type, labels, family.documentation)


def table() -> str:
    rows = [
        f"| `{one.name}` | {one.kind} | {' '.join(f'`{label}`' for label in one.labels)} | {one.help} |"
        for one in described()
    ]
    return "\n".join(["| metric | | labels | |", "|---|---|---|---|", *rows])


def rendered(text: str) -> str:
    marked = re.compile(r"(<!-- table: metrics -->\n).*?(<!-- end -->)", re.DOTALL)
    return marked.sub(lambda match: f"{match[1]}{table()}\n{match[2]}", text)


if __name__ == "__main__":
    PAGE.write_text(rendered(PAGE.read_text()))
