"""An OCI archive made of one static busybox, so that no test needs a registry."""

from __future__ import annotations

import hashlib
import io
import json
import platform
import shutil
import subprocess
import tarfile
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

BUSYBOX = "localhost/busybox:test"

_DIRECTORIES = ("bin", "dev", "etc", "proc", "sys", "tmp")
_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_CONFIG = "application/vnd.oci.image.config.v1+json"
_LAYER = "application/vnd.oci.image.layer.v1.tar"
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


class _Archive:
    """An OCI image layout under construction."""

    def __init__(self) -> None:
        self.blobs: dict[str, bytes] = {}
        self.manifests: list[dict[str, Any]] = []

    def blob(self, media_type: str, data: bytes) -> dict[str, Any]:
        digest = hashlib.sha256(data).hexdigest()
        self.blobs[digest] = data
        return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(data)}

    def image(self, layer: bytes, names: Sequence[str], command: Sequence[str]) -> None:
        descriptor = self.blob(_LAYER, layer)
        config = {
            "architecture": _ARCHITECTURES.get(platform.machine(), platform.machine()),
            "os": "linux",
            "config": {"Cmd": list(command), "Env": ["PATH=/bin"]},
            "rootfs": {"type": "layers", "diff_ids": [descriptor["digest"]]},
        }
        manifest = {
            "schemaVersion": 2,
            "mediaType": _MANIFEST,
            "config": self.blob(_CONFIG, json.dumps(config).encode()),
            "layers": [descriptor],
        }
        entry = self.blob(_MANIFEST, json.dumps(manifest).encode())
        for name in names:
            annotations = {"io.containerd.image.name": name, "org.opencontainers.image.ref.name": name}
            self.manifests.append({**entry, "annotations": annotations})

    def write(self, path: Path) -> None:
        with tarfile.open(path, "w") as tar:
            _add(tar, "oci-layout", b'{"imageLayoutVersion":"1.0.0"}')
            _add(tar, "index.json", json.dumps({"schemaVersion": 2, "manifests": self.manifests}).encode())
            for digest, data in self.blobs.items():
                _add(tar, f"blobs/sha256/{digest}", data)


def write_archive(path: Path, busybox: Path, *, pause: Sequence[str] = ()) -> None:
    """Write an archive with the image `BUSYBOX`, and under each name in `pause` one that only sleeps."""
    layer = _layer(busybox)
    archive = _Archive()
    archive.image(layer, [BUSYBOX], ["sh"])
    if pause:
        archive.image(layer, pause, ["sleep", "2147483647"])
    archive.write(path)


def write_rootfs(path: Path, busybox: Path) -> None:
    """Make the same file system as a directory."""
    for directory in _DIRECTORIES:
        (path / directory).mkdir(parents=True)
    shutil.copy(busybox, path / "bin/busybox")
    for applet in _applets(busybox):
        (path / "bin" / applet).symlink_to("busybox")


def _layer(busybox: Path) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for directory in _DIRECTORIES:
            _add(tar, directory, mode=0o755, kind=tarfile.DIRTYPE)
        _add(tar, "bin/busybox", busybox.read_bytes(), mode=0o755)
        for applet in _applets(busybox):
            _add(tar, f"bin/{applet}", kind=tarfile.SYMTYPE, target="busybox")
    return buffer.getvalue()


def _applets(busybox: Path) -> list[str]:
    listing = subprocess.run([busybox, "--list"], check=True, capture_output=True, text=True)
    return [name for name in listing.stdout.split() if name != "busybox"]


def _add(
    tar: tarfile.TarFile,
    name: str,
    data: bytes = b"",
    *,
    mode: int = 0o644,
    kind: bytes = tarfile.REGTYPE,
    target: str = "",
) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode, entry.type, entry.linkname = len(data), mode, kind, target
    tar.addfile(entry, io.BytesIO(data))
