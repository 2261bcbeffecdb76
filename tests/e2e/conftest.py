import pytest

from e2e.bench import TOKEN, Bench

# what a test must not inherit from whoever runs it
FOREIGN = ("PIPES_TOKEN", "PIPES_HOST", "STEAMPIPE_CLOUD_TOKEN", "STEAMPIPE_CLOUD_HOST", "GITHUB_STEP_SUMMARY",
           "GITHUB_OUTPUT", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy",
           "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NO_COLOR", "FORCE_COLOR")  # fmt: skip


@pytest.fixture
def bare(tmp_path, capsys, monkeypatch):
    """A bench without a token in the environment."""
    for name in FOREIGN:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    bench = Bench(tmp_path, capsys)
    yield bench
    assert bench.leaks() == []


@pytest.fixture
def bench(bare, monkeypatch):
    monkeypatch.setenv("PIPES_TOKEN", TOKEN)
    return bare
