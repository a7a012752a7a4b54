"""Vibes' two regions: where their API is and where their callbacks come from (docs/vibes.md, "Regions")."""

from typing import Literal

Region = Literal["US", "EU"]

API_BASE_URLS: dict[Region, str] = {
    "US": "https://public-api.vibescm.com",
    "EU": "https://public-api.eu.vibes.com",
}

SOURCE_ADDRESSES: dict[Region, tuple[str, ...]] = {
    "US": (
        "35.155.139.143",
        "52.32.61.199",
        "35.161.244.84",
        "18.205.120.48",
        "52.22.43.57",
        "18.232.9.131",
    ),
    "EU": (
        "34.243.232.57",
        "52.48.241.82",
        "34.249.188.130",
        "54.247.36.51",
        "34.253.250.65",
        "54.217.181.160",
    ),
}
