"""``cdi-sync status``: what the running agent holds, or without one what it left."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from agent.cli.terminal import harmless, say, table
from agent.cli.verbs import documents
from agent.cli.verbs.reading import DONE, FAILED, NOT_PERMITTED
from agent.config import places
from agent.config.files import ConfigError, glance
from agent.config.model import Agent
from agent.status import leftover
from agent.status.asking import AskingError, ask
from agent.store import holder

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from agent.cli.verbs.documents import Document


def status(options: argparse.Namespace) -> int:
    """Show it; returns the exit code: 1 where no agent answers, or what it says has a failure in it."""
    spec_dir, state_dir = directories(options)
    code = DONE
    try:
        document = ask(state_dir)
    except AskingError as error:
        say(f"error: {error}")
        code = FAILED if error.permitted else NOT_PERMITTED
        document = None
    if document is None:
        document = leftover.document(spec_dir, state_dir, _holder(spec_dir))
    if options.output == "json":
        documents.show(document, "json")
    elif not options.quiet:
        _show_any(document, verbose=options.verbose)
    if document["agent"] is None and code == DONE:
        _say_absence(document)
        return FAILED
    return code or (DONE if _is_well(document) else FAILED)


def directories(options: argparse.Namespace) -> tuple[str, str]:
    """Return the spec directory and the state directory: as given, else as configured.

    An agent goes on with the last good configuration while the files have a mistake in them. So they are not checked,
    and of a file that cannot be read nothing is taken.
    """
    configured = {"spec_dir": Agent().spec_dir, "state_dir": Agent().state_dir}
    for path in _configuration(options.config):
        try:
            found = glance(path).get("agent", {})
        except (OSError, ValueError):
            say(f"warning: {path} cannot be read, and nothing of it applies here; see cdi-sync config check")
            continue
        if isinstance(found, dict):
            configured |= {key: text for key, text in found.items() if key in configured and _is_path(text)}
    spec_dir, state_dir = (getattr(options, key) or configured[key] for key in ("spec_dir", "state_dir"))
    return os.path.abspath(spec_dir), os.path.abspath(state_dir)


def _configuration(explicit: str | None) -> tuple[str, ...]:
    try:
        return tuple(places.paths(explicit))
    except (OSError, ConfigError):
        return ()


def _holder(spec_dir: str) -> str | None:
    try:
        found = holder(spec_dir)
    except OSError:
        return None
    return str(found) if found else None


def _is_path(text: object) -> bool:
    return isinstance(text, str) and text.startswith("/") and "\0" not in text


def _is_well(document: Document) -> bool:
    last = document["lastPass"]
    return bool(last and last["succeeded"]) and not document["configuration"]["refused"]


def _say_absence(document: Document) -> None:
    state_dir, holder = document["stateDir"], document["holder"]
    if holder:
        say(f"error: no agent answers in {state_dir}, though {holder} keeps {document['specDir']}; "
            "ask with the --config or --state-dir that it was started with, or see in its log why it cannot "
            "answer there")  # fmt: skip
        return
    say(f"error: no agent answers in {state_dir}; start one: systemctl start cdi-sync, or cdi-sync in the foreground")
    if any(spec["earlierBoot"] for spec in document["specs"]):
        say("warning: specs are from an earlier boot, and their nodes may be other devices now; "
            "make them true once: cdi-sync --once")  # fmt: skip


def _show_any(document: Document, *, verbose: bool) -> None:
    """Show what an agent says, also one of another version, as far as it is understood."""
    try:
        _show(document, verbose=verbose)
    except (KeyError, TypeError):
        from importlib.metadata import version

        theirs, ours = (document.get("agent") or {}).get("version"), version("cdi-sync")
        if theirs == ours:
            raise
        say(f"warning: the agent is of version {theirs}, this program of {ours}, and the rest of its answer is not "
            "understood; restart the agent, or ask with --output json")  # fmt: skip


def _show(document: Document, *, verbose: bool) -> None:
    _lines(_head(document))
    for titles, rows in (
        (("KIND", "DEVICE", "NODES", "STATE", "GONE SINCE"), list(_devices(document))),
        (("SPEC", "CDI", "DEVICES", "WRITTEN", "NOTE"), list(_specs(document))),
        (("RESOURCE", "HEALTHY", "REGISTERED SINCE", "TIMES", "ALLOCATIONS", "REFUSED"), list(_resources(document))),
    ):
        if rows:
            print()
            table(titles, rows)
    if verbose:
        print()
        _lines(_details(document))
    _lines(_problems(document))


def _lines(lines: Iterator[tuple[str, str]]) -> None:
    for what, text in lines:
        print(f"{what:<14} {harmless(text)}")


def _head(document: Document) -> Iterator[tuple[str, str]]:
    agent, last = document["agent"], document["lastPass"]
    if agent:
        yield "agent", f"{agent['version']}, process {agent['pid']}, since {agent['started']}"
    else:
        yield "agent", "none answers"
    if document["holder"]:
        yield "kept by", document["holder"]
    yield "specs in", document["specDir"]
    if configuration := document["configuration"]:
        places_ = " ".join(configuration["files"]) or "the embedded default"
        yield "configuration", f"{places_}, loaded {configuration['loaded']}"
    if last:
        yield "last pass", f"{last['ended']}, {1000 * last['seconds']:.1f} ms: {last['sentence']}"
        if not last["succeeded"]:
            yield "last success", document["lastSuccess"] or "never"
    if containerd := document["containerd"]:
        yield "containerd", _containerd(containerd)


def _containerd(one: Document) -> str:
    if one["looked"] is None:
        return "not looked at yet"
    state = "CDI is not switched on" if one["problems"] else "CDI is kept switched on"
    return f"{state}, looked at {one['looked']}"


def _devices(document: Document) -> Iterator[tuple[str, ...]]:
    for one in document["classes"]:
        for device in one["devices"]:
            yield (
                one["kind"], device["name"], " ".join(device["nodes"]), device["condition"], device["goneSince"] or ""
            )  # fmt: skip


def _specs(document: Document) -> Iterator[tuple[str, ...]]:
    for one in document["specs"]:
        notes = [
            *(["held for pods, its class is gone"] if one["heldForPods"] else []),
            *(["from an earlier boot"] if one["earlierBoot"] else []),
            *(["broken"] if one["cdiVersion"] is None else []),
        ]
        yield one["file"], one["cdiVersion"] or "", str(one["devices"]), one["written"], ", ".join(notes)


def _resources(document: Document) -> Iterator[tuple[str, ...]]:
    for one in document["resources"]:
        since = one["registeredSince"] or ("no" if one["error"] else "no kubelet")
        healthy = f"{one['healthy']} of {one['devices']}"
        counts = (one["registrations"], one["allocations"], one["refusals"])
        yield one["name"], healthy, since, *map(str, counts)


def _details(document: Document) -> Iterator[tuple[str, str]]:
    yield "state in", document["stateDir"]
    for one in document["resources"]:
        if one["socket"]:
            yield "socket", one["socket"]
    for one in (document["containerd"] or {}).get("notes", ()):
        yield "containerd", one


def _problems(document: Document) -> Iterator[tuple[str, str]]:
    texts = [
        *(("refused", _sentence(one)) for one in (document["configuration"] or {}).get("refused", ())),
        *(("problem", _sentence(one)) for one in document["problems"]),
        *(("problem", f"containerd: {one}") for one in (document["containerd"] or {}).get("problems", ())),
        *(("problem", f"{one['name']} is not registered: {one['error']}")
          for one in document["resources"] if one["error"] and not one["registeredSince"]),
    ]  # fmt: skip
    if texts:
        print()
    yield from texts


def _sentence(one: Document) -> str:
    text = f"{one['where']}: {one['message']}" if one["where"] else one["message"]
    return f"{text}; {one['hint']}" if one["hint"] else str(text)
