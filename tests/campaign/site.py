"""Where one agent of the campaign lives: its configuration, its small disk, its spec directory, and files of others."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

KINDS = ("loop", "zram", "all", "net", "node", "known")
DISK_SIZE = 256 * 1024
OTHERS = {
    "vendor.json": '{"cdiVersion": "0.6.0", "kind": "vendor.test/x", "devices": [{"name": "a", '
                   '"containerEdits": {"env": ["A=1"]}}]}\n',
    "broken.json": "{",
    "acme.yaml": "cdiVersion: 0.6.0\nkind: acme.test/y\ndevices:\n- name: a\n  containerEdits:\n    env: [A=1]\n",
    "cdi-sync.json": "not ours, though it looks so",
    "cdi-sync+x.json": "{}",
    ".hidden.tmp": "",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Shared:
    """What all agents of the campaign look at: directories of backing files and of device nodes."""

    backing: Path
    nodes: Path


class Site:
    """The directories of one agent, below ``home``; its specs are on a file system of their own, easily filled."""

    def __init__(self, name: str, home: Path, shared: Shared) -> None:
        self.name = name
        self.shared = shared
        self.disk = home / "disk"
        self.spec_dir = self.disk / "cdi"
        self.etc = home / "etc"
        self.config = self.etc / "config.toml"
        self.state = home / "state"
        self.log = home / "log"
        self.notify = home / "notify"
        self.kubelet = home / "device-plugins"
        self.registry = home / "plugins_registry"
        self._spoilt = home.parent / "spoilt"
        self.disk.mkdir(parents=True)
        self.etc.mkdir(mode=0o700)
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_SIZE},mode=755", "campaign", self.disk], check=True)
        self.make_spec_dir()
        self.configure()

    def make_spec_dir(self) -> None:
        """Have the spec directory, with the files of others in it, as it was."""
        self.spec_dir.mkdir(mode=0o755, exist_ok=True)
        for name, text in OTHERS.items():
            (self.spec_dir / name).write_text(text)

    def remove_spec_dir(self) -> None:
        """Have no spec directory."""
        shutil.rmtree(self.spec_dir, ignore_errors=True)

    def configure(self, more: str = "", kubelet: str = "", kubernetes: str = "") -> None:
        """Write the configuration that the invariants know, as an editor does.

        ``more`` stands behind it, ``kubelet`` in the kubelet's table, and ``kubernetes`` in that of the device nodes.
        """
        new = self.etc / "config.toml.new"
        new.write_text(self.text(kubelet, kubernetes) + more)
        if self.config.is_dir() and not self.config.is_symlink():
            self.config.rmdir()
        new.rename(self.config)

    def specs(self) -> list[Path]:
        """Return the specs of the agent as they are now."""
        return sorted(self.spec_dir.glob("cdi-sync+campaign.test+*.json"))

    def spoil(self, path: Path) -> None:
        """Say that a file is no longer as the agent wrote it, before it is made so."""
        with self._spoilt.open("a") as file:
            file.write(f"{path.stat().st_ino}\n")

    def foreign(self) -> dict[str, str]:
        """Return the files of others, with their hashes."""
        return {str(self.spec_dir / name): hashlib.sha256(text.encode()).hexdigest() for name, text in OTHERS.items()}

    def text(self, kubelet: str = "", kubernetes: str = "") -> str:
        """Return the configuration that the invariants know; see `configure`."""
        return f"""\
version = 1
[agent]
state_dir = "{self.state}"
max_cdi_version = "1.1.0"
resync = "1h"
[kubelet]
directory = "{self.kubelet}"
{kubelet}
[[class]]
kind = "campaign.test/loop"
name = "{{attr:loop/backing_file}}"
[[class.select]]
subsystem = "block"
attributes = {{ "loop/backing_file" = "{self.shared.backing}/*" }}
[class.containerEdits]
env = ["CAMPAIGN=1"]
[class.deviceEdits]
env = ["CAMPAIGN_FILE={{attr:loop/backing_file}}"]

[[class]]
kind = "campaign.test/zram"
name = "size-{{attr:disksize}}"
[[class.select]]
sysname = "zram*"
attributes = {{ disksize = "1048??????" }}
[class.node]
path = "/dev/campaign/{{name}}"

[[class]]
kind = "campaign.test/all"
all = "all"
only_all = true
[[class.select]]
subsystem = "block"
attributes = {{ "loop/backing_file" = "{self.shared.backing}/*" }}
[[class.select]]
sysname = "zram*"
attributes = {{ disksize = "1048??????" }}

[[class]]
kind = "campaign.test/net"
name = "{{sysname}}"
[[class.select]]
subsystem = "net"
sysname = "cdit*"
[class.deviceEdits]
netDevices = [{{ hostInterfaceName = "{{sysname}}", name = "eth1" }}]

[[class]]
kind = "campaign.test/node"
name = "{{sysname}}"
[[class.select]]
devnode = "{self.shared.nodes}/*"
[class.kubernetes]
{kubernetes}
[[class]]
kind = "campaign.test/known"
name = "{{CAMPAIGN_SERIAL}}"
[[class.select]]
subsystem = "block"
properties = {{ CAMPAIGN_SERIAL = "*" }}
"""
