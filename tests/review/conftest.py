import pytest

from e2e.bench import TOKEN, Bench
from e2e.conftest import FOREIGN
from review.repository import Repository

GIT = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_CONFIG_COUNT", "GIT_CEILING_DIRECTORIES")


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """An empty repository that is the current folder; the user's own git configuration plays no part."""
    for name in (*FOREIGN, *GIT):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    made = Repository(tmp_path / "repository")
    monkeypatch.chdir(made.folder)
    return made


@pytest.fixture
def bench(repository, capsys):
    return Bench(repository.folder, capsys)


@pytest.fixture
def token(monkeypatch):
    monkeypatch.setenv("PIPES_TOKEN", TOKEN)
