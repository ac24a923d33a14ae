"""The time zone of each country that has just one, for locations whose backend does not say it.

OCPI 2.1.1 could leave it out, and 2.2 made it required. Only countries whose ISO 3166-1 code covers a single zone:
Spain and Portugal have islands in another one. Source: IANA tzdata, zone1970.tab.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

#: By ISO 3166-1 alpha-3 code, which is what a Location has as its `country`.
ZONE: Final[Mapping[str, str]] = MappingProxyType(
    {
        "AUT": "Europe/Vienna",
        "BEL": "Europe/Brussels",
        "BGR": "Europe/Sofia",
        "CHE": "Europe/Zurich",
        "CZE": "Europe/Prague",
        "DEU": "Europe/Berlin",
        "DNK": "Europe/Copenhagen",
        "EST": "Europe/Tallinn",
        "FIN": "Europe/Helsinki",
        "FRA": "Europe/Paris",
        "GBR": "Europe/London",
        "GRC": "Europe/Athens",
        "HRV": "Europe/Zagreb",
        "HUN": "Europe/Budapest",
        "IRL": "Europe/Dublin",
        "ISL": "Atlantic/Reykjavik",
        "ITA": "Europe/Rome",
        "LIE": "Europe/Vaduz",
        "LTU": "Europe/Vilnius",
        "LUX": "Europe/Luxembourg",
        "LVA": "Europe/Riga",
        "MLT": "Europe/Malta",
        "NLD": "Europe/Amsterdam",
        "NOR": "Europe/Oslo",
        "POL": "Europe/Warsaw",
        "ROU": "Europe/Bucharest",
        "SVK": "Europe/Bratislava",
        "SVN": "Europe/Ljubljana",
        "SWE": "Europe/Stockholm",
    }
)
