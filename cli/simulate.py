"""`vibes-pipeline simulate`: the stand-in for Vibes."""

import asyncio
import tomllib
from dataclasses import fields
from pathlib import Path
from typing import Any

from runtime.lifecycle import run_process
from schemas.errors import ConfigurationError
from simulator.app import serve
from simulator.config import CompanyConfig, Config


def run_simulator(config_file: Path, host: str, port: int, seed: int, rate_limit: int) -> None:
    """Run the simulator until it is told to stop; prints its URL. Raises ConfigurationError."""
    config = Config(companies=read_companies(config_file), host=host, port=port, seed=seed, rate_limit=rate_limit)

    async def main(stop: asyncio.Event) -> None:
        serving = asyncio.ensure_future(serve(config, lambda url: print(f"simulator: {url}", flush=True)))
        stopping = asyncio.ensure_future(stop.wait())
        try:
            await asyncio.wait((serving, stopping), return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopping.cancel()
            serving.cancel()
            results = await asyncio.gather(serving, return_exceptions=True)
        if isinstance(results[0], OSError):
            raise ConfigurationError(f"--host, --port: cannot listen on {host}:{port} ({results[0].strerror})")

    run_process(main)


def read_companies(config_file: Path) -> tuple[CompanyConfig, ...]:
    """Read the simulated companies from a TOML file. Raises ConfigurationError naming the file and the problem."""
    example = '[[companies]]\\ncompany_key = "demo"\\nusername = "user"\\npassword = "secret"'
    try:
        data = tomllib.loads(config_file.read_text(encoding="utf-8"))
        tables = data["companies"]
        return tuple(CompanyConfig(**_known(table)) for table in tables)
    except OSError as error:
        raise ConfigurationError(f"--config {config_file}: cannot be read ({error.strerror})") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"--config {config_file}: is not TOML ({error})") from error
    except (KeyError, TypeError) as error:
        raise ConfigurationError(f"--config {config_file}: {error}. Example: {example}") from None


def _known(table: object) -> dict[str, Any]:
    if not isinstance(table, dict):
        raise TypeError("companies must be tables")
    names = {field.name for field in fields(CompanyConfig)}
    for name in table:
        if name not in names:
            raise KeyError(f"{name} is no setting of a company; the settings are {', '.join(sorted(names))}")
    return {name: tuple(value) if isinstance(value, list) else value for name, value in table.items()}
