"""``explain``: why a device is or is not in a class, select by select and key by key."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from agent import selection
from agent.cli.terminal import harmless, say
from agent.cli.verbs import documents
from agent.config.load import load
from agent.discovery.observe import observe
from agent.discovery.sysfs import Look, Roots, SysDevice
from agent.discovery.udev import UdevDatabase
from agent.host import Unreadable
from agent.reconcile import Reconciler
from agent.store import SpecDirectory

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Iterator

    from agent.config.settings import DeviceClass, Settings
    from agent.selection import Check

DONE, FAILED = 0, 1


def explain(options: argparse.Namespace) -> int:
    """Explain one device; returns 1 where there is no such device, or where it cannot be looked at."""
    settings = load(options.config, spec_dir=options.spec_dir, state_dir=options.state_dir)
    look = Look(Roots(), UdevDatabase())
    observe(settings.classes, look)  # so that links outside /dev are known, as they are to a pass
    try:
        device = find(look, options.node)
        if device is None:
            say(f"error: {options.node}: is no device; name a device node, a link to one, or a directory of sysfs")
            return FAILED
        document = {"device": _facts(device), "classes": list(_classes(settings, device))}
    except Unreadable as unknown:
        say(f"error: {unknown}; run it as a user who may read that")
        return FAILED
    if options.output == "json":
        documents.show(document, "json")
    else:
        for line in _lines(document, verbose=options.verbose):
            print(harmless(line))
    return DONE


def find(look: Look, name: str) -> SysDevice | None:
    """Return the device that a node, a link or a directory of sysfs names."""
    path = os.path.realpath(name)
    if not path.startswith(look.roots.sys + "/"):
        return look.device(path)
    kernel = look.kernel(path)
    if kernel.node:
        return look.device(kernel.node)
    return SysDevice(look, "", None, kernel) if kernel.subsystem == "net" else None


def _facts(device: SysDevice) -> dict[str, Any]:
    return {
        "node": device.node,
        "kind": device.kind if device.node else "",
        "major": device.major,
        "minor": device.minor,
        "gid": device.gid,
        "syspath": device.syspath,
        "sysname": device.sysname,
        "subsystem": device.subsystem,
        "driver": device.driver,
        "links": list(device.links),
        "tags": sorted(device.tags),
        "properties": dict(sorted(device.properties.items())),
        "settled": device.settled,
    }


def _classes(settings: Settings, device: SysDevice) -> Iterator[dict[str, Any]]:
    names, said = _outcome(settings, device)
    for one in settings.classes:
        yield {
            "kind": one.kind,
            "origin": one.origin,
            **verdict(one, device),
            "devices": names.get(one.kind, []),
            "problems": [documents.problem(*problem) for problem in said.get(one.kind, [])],
        }


def verdict(device_class: DeviceClass, device: SysDevice) -> dict[str, Any]:
    """Return whether a class takes a device, and every check of its selects and excludes that was made for that."""
    return {
        "taken": selection.takes(device_class, device),
        "selects": [_select(device_class, index, device) for index in range(len(device_class.selects))],
        "excludes": [_checks(selection.checks(selector, device)) for selector in device_class.excludes],
    }


def _outcome(settings: Settings, device: SysDevice) -> tuple[dict[str, list[str]], dict[str, list[Any]]]:
    """Make a pass that changes nothing; returns, by kind, the CDI names of the device and what is wrong with it."""
    outcome = Reconciler(SpecDirectory(settings.spec_dir), UdevDatabase()).run(settings, None)
    names = {
        one.kind: [f"{one.kind}={offer.name}" for offer in one.offers if device.node in offer.nodes]
        for one in outcome.classes
    }
    said = {
        one.kind: [
            (severity, problem)
            for severity, problems in (("warning", one.warnings), ("error", one.problems))
            for problem in problems
            if device.place in problem.where.split()
        ]
        for one in outcome.classes
    }
    return names, said


def _select(device_class: DeviceClass, index: int, device: SysDevice) -> dict[str, Any]:
    selector = device_class.selects[index]
    if not selection.joins(device_class, selector, device):
        return {"fits": False, "checks": [], "reason": "a USB device's own node joins a group only by subsystem"}
    return _checks(selection.checks(selector, device))


def _checks(checks: Iterable[Check]) -> dict[str, Any]:
    """Return the checks up to the first that fails, which is as far as the selection looks."""
    told = []
    for check in checks:
        wanted = [pattern.text for pattern in check.wanted]
        told.append({"key": check.key, "wanted": wanted, "found": list(check.found), "fits": check.fits})
        if not check.fits:
            break
    return {"fits": all(check["fits"] for check in told), "checks": told}


def _lines(document: dict[str, Any], *, verbose: bool) -> Iterator[str]:
    device = document["device"]
    yield f"{device['node'] or device['syspath']}"
    yield from _fact_lines(device, verbose=verbose)
    for one in document["classes"]:
        yield ""
        yield f"{one['kind']}: {_verdict(one)}"
        for name in ("select", "exclude"):
            for index, row in enumerate(one[f"{name}s"]):
                yield f"  {name}[{index}] {'fits' if row['fits'] else 'does not fit'}"
                yield from (f"    {_check_line(check)}" for check in row["checks"])
                if "reason" in row:
                    yield f"    {row['reason']}"
        yield from (f"  {problem['severity']}: {problem['message']}; {problem['hint']}" for problem in one["problems"])


def _verdict(one: dict[str, Any]) -> str:
    if not one["selects"]:
        return "declares its devices, and looks for none"
    if not one["taken"]:
        return "does not take it"
    return f"takes it, as {' '.join(one['devices'])}" if one["devices"] else "takes it, and leaves it out"


def _fact_lines(device: dict[str, Any], *, verbose: bool) -> Iterator[str]:
    if device["node"]:
        yield f"  {device['kind']} device {device['major']}:{device['minor']}, group {device['gid']}"
    for name in ("syspath", "sysname", "subsystem", "driver"):
        if device[name]:
            yield f"  {name:<10} {device[name]}"
    yield from (f"  link       {link}" for link in device["links"])
    if device["tags"]:
        yield f"  tags       {' '.join(device['tags'])}"
    if not device["settled"]:
        yield "  udev has not finished with it, so that a pass waits"
    properties = device["properties"]
    if verbose:
        yield from (f"  property   {name}={value}" for name, value in properties.items())
    else:
        yield f"  {len(properties)} udev properties; --verbose shows them"


def _check_line(check: dict[str, Any]) -> str:
    found = " ".join(check["found"]) or "nothing"
    wanted = " or ".join(check["wanted"])
    return f"{'yes' if check['fits'] else 'NO ':<3} {check['key']}: found {found}" + (
        f", wanted {wanted}" if wanted else ""
    )
