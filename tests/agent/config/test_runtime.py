from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from agent.config.load import load
from agent.config.runtime import limit, limit_of
from tests.real import parts

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("answer", "newest"),
    [
        ("containerd github.com/containerd/containerd 1.6.20~ds1 1.6.20~ds1-1+deb12u1", None),
        ("containerd github.com/containerd/containerd 1.7.24~ds1 1.7.24~ds1-6+b4", "0.8.0"),
        ("containerd github.com/containerd/containerd/v2 v2.0.5 fb4c30d4ede3531652d86197bf3fc9515e5276d9", "1.0.0"),
        ("containerd github.com/containerd/containerd/v2 2.2.1 x", "1.0.0"),
        ("containerd github.com/containerd/containerd/v2 v2.3.4 x", "1.1.0"),
        ("containerd v3.0.0", "1.1.0"),
        ("something else", None),
        ("", None),
    ],
)
def test_what_a_containerd_of_some_version_reads(answer: str, newest: str | None) -> None:
    assert limit_of(answer) == newest


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    directory = tmp_path / "bin"
    directory.mkdir()
    monkeypatch.setenv("PATH", str(directory))
    return directory


def install(programs: Path, script: str) -> None:
    (programs / "containerd").write_text(f"#!/bin/sh\n{script}\n")
    (programs / "containerd").chmod(0o755)


def test_the_installed_containerd_is_asked(programs: Path, tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text("")
    config = str(tmp_path / "config.toml")
    assert load(config).max_cdi_version is None
    install(programs, "echo containerd v1.7.1")
    assert load(config).max_cdi_version == "0.8.0"
    assert load("/config.toml", root=str(tmp_path)).max_cdi_version is None
    (tmp_path / "config.toml").write_text('[agent]\nmax_cdi_version = "0.5.0"\n')
    assert load(config).max_cdi_version == "0.5.0"


@pytest.mark.parametrize("script", ["exit 1", "printf '\\377'", "kill -9 $$"])
def test_one_that_does_not_answer_limits_nothing(programs: Path, script: str) -> None:
    install(programs, script)
    assert limit() is None


@pytest.mark.real
@pytest.mark.root
@pytest.mark.parametrize(("version", "newest"), [("1.6", None), ("1.7", "0.8.0"), ("2", "1.0.0")])
def test_the_real_ones_say_it_so(version: str, newest: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(parts.program(f"containerd-{version}", "containerd").parent))
    assert limit() == newest
