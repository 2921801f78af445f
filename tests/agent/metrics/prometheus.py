"""A real Prometheus on loopback, asked over its HTTP interface."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.agent.running import eventually
from tests.real import parts

if TYPE_CHECKING:
    from collections.abc import Iterator

CONTRIB = Path(__file__).parents[3] / "contrib"
RULES = CONTRIB / "prometheus/alerts.yml"
DASHBOARD = CONTRIB / "grafana/cdi-sync.json"


def free_port() -> int:
    """A port of loopback that is free just now."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def fetch(port: int, path: str, accept: str = "*/*") -> tuple[int, str]:
    """The status and the text of what is served there."""
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", headers={"Accept": accept})
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def fetched(port: int, path: str) -> str | None:
    """The text of what is served there, None while nothing is."""
    try:
        return fetch(port, path)[1]
    except OSError:
        return None


class Prometheus:
    """One that scrapes one agent every second, and evaluates our rules."""

    def __init__(self, port: int) -> None:
        self.port = port

    def ask(self, path: str, **values: str) -> Any:
        """The data of an answer of the interface; fails with its error."""
        _, text = fetch(self.port, f"/api/v1/{path}?{urllib.parse.urlencode(values)}")
        answer = json.loads(text)
        assert answer["status"] == "success", answer
        assert not answer.get("warnings"), answer
        return answer["data"]

    def query(self, expression: str) -> list[Any]:
        """The samples that an expression comes to now."""
        found = self.ask("query", query=expression)["result"]
        assert isinstance(found, list)
        return found

    def value(self, expression: str) -> float | None:
        """The one value that an expression comes to, None without one."""
        found = self.query(expression)
        assert len(found) <= 1, found
        return float(found[0]["value"][1]) if found else None


@contextmanager
def prometheus(place: Path, target: int) -> Iterator[Prometheus]:
    """Run one on the metrics at a port."""
    program = parts.program("prometheus", "prometheus")
    port = free_port()
    config = place / "prometheus.yml"
    config.write_text(f"""
global: {{scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}}
rule_files: ["{RULES}"]
scrape_configs:
  - job_name: cdi-sync
    static_configs: [{{targets: ["127.0.0.1:{target}"]}}]
""")
    argv = [str(program), f"--config.file={config}", f"--storage.tsdb.path={place}/tsdb",
            f"--web.listen-address=127.0.0.1:{port}"]  # fmt: skip
    with (place / "prometheus.log").open("wb") as log:
        process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env={**os.environ})
    try:
        eventually(
            lambda: "Ready" in (fetched(port, "/-/ready") or ""), (place / "prometheus.log").read_text, seconds=60
        )
        yield Prometheus(port)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def wait_scrapes(asked: Prometheus, number: int) -> None:
    """Wait until so many more scrapes went well."""
    begin = time.time()
    eventually(lambda: (asked.value(f"sum_over_time(up[{int(time.time() - begin) + 1}s])") or 0) >= number, seconds=60)
