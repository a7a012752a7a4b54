"""Runs ingest as a process: `python -m tests.support.run_ingest COMPANIES [reuse-port]`; companies as JSON."""

import sys

from ingest.process import serve
from runtime.companies import Companies
from runtime.lifecycle import run_process
from runtime.logging import configure_logging
from runtime.settings import load_settings


def main() -> None:
    settings = load_settings()
    companies = Companies.model_validate_json(sys.argv[1])
    configure_logging(settings.log_level, settings.log_format, "ingest")
    run_process(lambda stop: serve(settings, companies, stop, reuse_port="reuse-port" in sys.argv))


if __name__ == "__main__":
    main()
