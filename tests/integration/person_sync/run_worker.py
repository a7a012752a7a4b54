"""A person worker as a process, configured by its environment."""

from runtime.companies import load_companies
from runtime.lifecycle import run_process
from runtime.settings import load_settings
from workers.person_sync.process import serve

if __name__ == "__main__":
    settings = load_settings()
    companies = load_companies(settings.companies_file)
    run_process(lambda stop: serve(settings, companies, stop))
