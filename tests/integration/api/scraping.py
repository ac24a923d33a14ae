"""Metrics as Prometheus reads them."""

import httpx
from prometheus_client.parser import text_string_to_metric_families

from tests.integration.api.calls import Client


class Scraped:
    """An answer; called with a name without its prefix and some labels, it returns the value of that one sample."""

    def __init__(self, answer: httpx.Response) -> None:
        assert answer.status_code == 200, answer.text
        self.text = answer.text
        families = text_string_to_metric_families(answer.text)
        self.samples = [(one.name, one.labels, one.value) for family in families for one in family.samples]

    def __call__(self, name: str, **labels: str) -> float | None:
        found = [
            value
            for other, having, value in self.samples
            if other == f"evse_status_{name}" and labels.items() <= having.items()
        ]
        assert len(found) <= 1, found
        return found[0] if found else None


async def scrape(client: Client) -> Scraped:
    return Scraped(await client.get("/metrics"))
