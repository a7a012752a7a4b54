import tomllib

from runtime.companies import Companies, hash_endpoint_key
from tests.acceptance.test_commands import vibes_pipeline


def test_a_crm_token_comes_with_the_line_that_the_companies_file_holds() -> None:
    out = vibes_pipeline("crm-token").stdout
    token = out.split("token:", 1)[1].split()[0]
    line = out.split("companies file:", 1)[1].strip()
    company = {"company_key": "acme", "region": "US", "endpoints": [{"name": "main", "key_sha256": "0" * 64}]}

    companies = Companies.model_validate({"companies": [company | tomllib.loads(line)]})

    assert len(token) >= 40
    assert companies.companies[0].crm_tokens[0].token_sha256 == hash_endpoint_key(token)
    assert token not in line
