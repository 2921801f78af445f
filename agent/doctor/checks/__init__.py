"""All checks: one row each. A check is given the node, and yields findings; it knows no other check."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from agent.doctor.checks import configuration, directories, kernel, kubelet, nodes, ours, runtimes, specs, udev

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from agent.doctor.findings import Finding
    from agent.doctor.node import Node


class Check(NamedTuple):
    """A check and its name, which is part of the stable output."""

    name: str
    run: Callable[[Node], Iterable[Finding]]


CHECKS = (
    Check("uevents", kernel.events),
    Check("inotify", kernel.inotify),
    Check("file-systems", directories.file_systems),
    Check("descriptors", kernel.descriptors),
    Check("udevd", udev.daemon),
    Check("udev-database", udev.database),
    Check("libudev", udev.library),
    Check("udev-pending", udev.unsettled),
    Check("configuration", configuration.files),
    Check("notes", configuration.notes),
    Check("classes", configuration.classes),
    Check("exposure", configuration.exposure),
    Check("spec-dirs", directories.spec_dirs),
    Check("spec-files", directories.spec_files),
    Check("file-names", directories.names),
    Check("space", directories.space),
    Check("writable", directories.writable),
    Check("selinux", directories.selinux),
    Check("agent", ours.agent),
    Check("sync", ours.sync),
    Check("boot", ours.boot),
    Check("specs", specs.files),
    Check("conflicts", specs.conflicts),
    Check("shadowing", specs.shadowing),
    Check("nodes", nodes.present),
    Check("numbers", nodes.numbers),
    Check("access", nodes.access),
    Check("mounts", nodes.others),
    Check("runtimes", runtimes.files),
    Check("daemons", runtimes.daemons),
    Check("cdi-version", specs.readable),
    Check("kubelet", kubelet.directory),
    Check("kubelet-socket", kubelet.kubelet_socket),
    Check("plugin-sockets", kubelet.plugin_sockets),
    Check("checkpoint", kubelet.checkpoint_file),
    Check("registration", kubelet.registered),
    Check("pods", kubelet.replayed),
)
