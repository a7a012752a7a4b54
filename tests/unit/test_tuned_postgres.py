"""What is measured is what is deployed: `make bench` has PostgreSQL's settings of docker-compose.yml."""

from pathlib import Path

import yaml

from deploy.local.postgres import TUNED

COMPOSE = yaml.safe_load((Path(__file__).parents[2] / "docker-compose.yml").read_text())
DURABLE = {"fsync": "on", "full_page_writes": "on", "synchronous_commit": "on"}


def test_what_is_tuned_is_the_same_in_both_and_durability_is_on() -> None:
    words = COMPOSE["services"]["postgres"]["command"]
    told = dict(word.removeprefix("-c").split("=", 1) for word in words if word.startswith("-c"))
    told["shared_buffers"] = told["shared_buffers"].removeprefix("${POSTGRES_SHARED_BUFFERS:-").removesuffix("}")
    assert {name: told.get(name) for name in TUNED} == TUNED
    assert {name: told.get(name) for name in DURABLE} == DURABLE
