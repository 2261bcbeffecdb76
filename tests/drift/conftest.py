import pytest

from drift.scene import Scene
from e2e.bench import TOKEN
from e2e.conftest import FOREIGN

GIT = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_CONFIG_COUNT", "GIT_CEILING_DIRECTORIES")


@pytest.fixture
def scene(tmp_path, capsys, monkeypatch):
    """A folder with a token; neither the user's environment nor their git configuration plays a part."""
    for name in (*FOREIGN, *GIT):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.setenv("PIPES_TOKEN", TOKEN)
    monkeypatch.chdir(tmp_path)
    return Scene(tmp_path, capsys)
