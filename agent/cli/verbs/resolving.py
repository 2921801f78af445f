"""``resolve`` and ``inject``: what names stand for, and what they make of a container's OCI runtime spec."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any, NoReturn

from agent.cli.terminal import say
from agent.cli.verbs import documents, ocifile
from agent.cli.verbs.listing import print_devices
from agent.cli.verbs.matching import expand, why_missing
from agent.cli.verbs.reading import DONE, FAILED, read
from cdi import oci
from cdi.errors import CDIError, Problem
from cdi.names import qualified_problem
from cdi.specdirs import host_node

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Sequence

    from cdi.registry import Registry


_GUESSES = 10  # names of which the likeliest is looked for among all: that takes long


def resolve(options: argparse.Namespace) -> int:
    """Show the devices that names stand for, or OCI specs with the devices that they name put in."""
    files = [text for text in options.what if _is_file(text)]
    names = [text for text in options.what if not _is_file(text)]
    if names and files:
        _refuse_usage(f"{files[0]} is a file, and {names[0]} is not", "resolve either files or devices")
    if files.count(ocifile.STDIN) > 1:
        _refuse_usage("standard input can be read once only", "write one -")
    return _resolve_files(files, options) if files else _resolve_names(names, options)


def inject(options: argparse.Namespace) -> int:
    """Put devices into an OCI spec; without all of them, nothing is written."""
    if options.in_place and options.config_json == ocifile.STDIN:
        _refuse_usage("standard input cannot be changed in place", "use -o FILE")
    if options.in_place and options.to is not None:
        _refuse_usage("--in-place and -o are two places for one result", "choose one")
    target = options.config_json if options.in_place else options.to
    real = None if target is None else ocifile.target(target)
    spec = ocifile.read(options.config_json)
    registry = read(options).registry
    names, missing = expand(registry, options.device)
    if missing:
        return _say_missing(registry, missing)
    text = documents.text(_injected(registry, spec, names, options.config_json), options.output)
    if real is None:
        sys.stdout.write(text)
        sys.stdout.flush()
        return DONE
    ocifile.replace(real, text.encode())
    if not options.quiet:
        say(f"{target}: {len(names)} device{'' if len(names) == 1 else 's'} injected ({', '.join(names)})")
    return DONE


def _resolve_names(texts: Sequence[str], options: argparse.Namespace) -> int:
    registry = read(options).registry
    names, missing = expand(registry, texts)
    found = [registry.devices[name] for name in dict.fromkeys(names)]
    if options.output != "text":
        documents.show({"devices": list(map(documents.device, found)), "unresolved": missing}, options.output)
    elif not options.quiet:
        print_devices(found, verbose=options.verbose)
        sys.stdout.flush()
    return _say_missing(registry, missing) if missing else DONE


def _resolve_files(paths: Sequence[str], options: argparse.Namespace) -> int:
    specs = [(path, ocifile.read(path)) for path in paths]
    registry = read(options).registry
    taken = [(path, *_taken_out(spec)) for path, spec in specs]
    missing = [name for _, _, names in taken for name in names if registry.resolve(name) is None]
    if missing:
        return _say_missing(registry, missing)
    results = [_injected(registry, spec, names, path) for path, spec, names in taken]
    for index, result in enumerate(results):
        if index and options.output == "yaml":
            print("---")
        documents.show(result, options.output)
    return DONE


def _is_file(text: str) -> bool:
    """Tell whether an argument is meant as a file: it is written as a path, or there is one of that name."""
    if text == ocifile.STDIN or text.startswith(("/", "./", "../")):
        return True
    return not any(sign in text for sign in "=*?[") and os.path.exists(text)


def _taken_out(spec: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Return an OCI spec without the devices whose path is a qualified name, and these names."""
    linux = spec.get("linux")
    devices = linux.get("devices") if isinstance(linux, dict) else None
    if not isinstance(linux, dict) or not isinstance(devices, list):
        return spec, []
    names = [name for device in devices if (name := _name_in(device))]
    left = [device for device in devices if not _name_in(device)]
    return {**spec, "linux": {**linux, "devices": left}}, names


def _name_in(device: object) -> str:
    path = device.get("path") if isinstance(device, dict) else None
    return path if isinstance(path, str) and not qualified_problem(path, strict=False) else ""


def _injected(registry: Registry, spec: dict[str, Any], names: Iterable[str], path: str) -> dict[str, Any]:
    """Return the spec with devices, the file named in problems that are the file's.

    Raises:
        CDIError: a device node is missing, or the OCI spec is none.
    """
    try:
        return oci.inject(registry, spec, names, host_node)
    except oci.NoOCISpecError as error:
        raise CDIError(*(problem.within(ocifile.shown(path)) for problem in error.problems)) from None


def _say_missing(registry: Registry, missing: Iterable[str]) -> int:
    for number, text in enumerate(dict.fromkeys(missing)):
        say(f"error: {why_missing(registry, text, guess=number < _GUESSES)}")
    return FAILED


def _refuse_usage(message: str, hint: str) -> NoReturn:
    from agent.config.files import ConfigError

    raise ConfigError(Problem("", message, hint))
