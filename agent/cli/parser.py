"""What may stand on the command line: the main job's options, and one row a verb."""

from __future__ import annotations

import argparse
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

if TYPE_CHECKING:
    from collections.abc import Callable, Container

_EXAMPLE = """\
examples:
  cdi-sync --once                     find this machine's devices and write their specs
  cdi-sync --once --dry-run           show what that would change
  cdi-sync --config my.toml           keep the specs true until stopped

exit codes:
  0 done   1 some of the work failed   2 usage or configuration   3 --check found drift   4 not permitted
"""


class Argument(NamedTuple):
    """One argument of a verb: what argparse is to be told of it."""

    names: tuple[str, ...]
    options: dict[str, Any]


def argument(*names: str, **options: Any) -> Argument:
    """Write an argument as one would to argparse."""
    return Argument(names, options)


class Verb(NamedTuple):
    """One verb: ``run`` names, as ``module:function``, what is called with the namespace and returns the exit code.

    It is named, not imported, so that no verb pays for another's imports.
    """

    name: str
    summary: str
    run: str
    example: str
    arguments: tuple[Argument, ...] = ()
    forms: tuple[str, ...] = ("text", "json")
    layered: bool = False
    """Whether it is about all spec directories: ``--spec-dir`` may come again, and its default is the runtimes'."""
    names_config: bool = False
    """Whether ``--config`` is an argument of its own."""


def _path(text: str) -> str:
    """Refuse an empty path: most likely a shell variable that is not set, and hardly the default that it would mean."""
    if not text:
        raise argparse.ArgumentTypeError("it is empty")
    return text


_CDI_FORMS = ("text", "json", "yaml")
_PATTERN = argument("pattern", nargs="*", metavar="PATTERN", help="only devices of this name; globs: 'acme.com/*'")

VERBS: tuple[Verb, ...] = (
    Verb(
        "devices",
        "list the CDI devices that containers can ask for, whoever defined them",
        "agent.cli.verbs.listing:devices",
        "cdi-sync devices --verbose 'acme.com/*'",
        (_PATTERN,),
        _CDI_FORMS,
        layered=True,
    ),
    Verb(
        "vendors",
        "list the vendors of all CDI specs",
        "agent.cli.verbs.listing:vendors",
        "cdi-sync vendors",
        (),
        _CDI_FORMS,
        layered=True,
    ),
    Verb(
        "classes",
        "list the device classes of all CDI specs",
        "agent.cli.verbs.listing:classes",
        "cdi-sync classes --output json",
        (),
        _CDI_FORMS,
        layered=True,
    ),
    Verb(
        "specs",
        "list the CDI spec files, broken ones too",
        "agent.cli.verbs.listing:specs",
        "cdi-sync specs acme.com",
        (argument("vendor", nargs="*", metavar="VENDOR", help="only specs of this vendor; globs: '*.com'"),),
        _CDI_FORMS,
        layered=True,
    ),
    Verb(
        "dirs",
        "list the directories that specs are read from, in order of rising priority",
        "agent.cli.verbs.listing:directories",
        "cdi-sync dirs --spec-dir /etc/cdi --spec-dir /run/cdi",
        (),
        _CDI_FORMS,
        layered=True,
    ),
    Verb(
        "resolve",
        "show the devices that names stand for, or an OCI runtime spec with the devices that it names",
        "agent.cli.verbs.resolving:resolve",
        "cdi-sync resolve --verbose acme.com/modem=modem0",
        (
            argument(
                "what",
                nargs="+",
                metavar="DEVICE|FILE",
                help="names or globs of devices; or OCI runtime specs (- is standard input), in which a device whose "
                "path is a CDI name stands for that device",
            ),
        ),
        _CDI_FORMS,
        layered=True,
    ),
    Verb(
        "inject",
        "put devices into an OCI runtime spec, as a container runtime does",
        "agent.cli.verbs.resolving:inject",
        "cdi-sync inject config.json acme.com/modem=modem0 --in-place",
        (
            argument("config_json", metavar="FILE", help="the OCI runtime spec, JSON; - is standard input"),
            argument("device", nargs="+", metavar="DEVICE", help="names or globs of devices, in the order to apply"),
            argument("-o", "--to", metavar="FILE", help="write the result to this file instead of standard output"),
            argument("-i", "--in-place", action="store_true", help="write the result over what was read"),
        ),
        _CDI_FORMS,
        layered=True,
    ),
    Verb(
        "validate",
        "say what is wrong with spec files, in which line; exit 1 if a runtime would refuse one",
        "agent.cli.verbs.validating:validate",
        "cdi-sync validate --for containerd-1.7 modem.yaml",
        (
            argument("file", nargs="*", metavar="FILE", help="spec files (- is standard input); default: all"),
            argument(
                "--for",
                dest="runtime",
                choices=("podman-4.3", "containerd-1.7", "containerd-2.0", "containerd-2.1", "containerd-2.3"),
                help="also say what is too new for this runtime",
            ),
        ),
        _CDI_FORMS,
        layered=True,
    ),
    Verb(
        "monitor",
        "show devices that come, go and change, as it happens, until stopped",
        "agent.cli.verbs.monitoring:monitor",
        "cdi-sync monitor --output json",
        (_PATTERN, argument("--initial", action="store_true", help="begin with the devices that are there")),
        ("text", "json"),
        layered=True,
    ),
    Verb(
        "explain",
        "tell why a device is or is not in a class, key by key",
        "agent.cli.verbs.explaining:explain",
        "cdi-sync explain /dev/ttyUSB0",
        (argument("node", metavar="NODE", help="a device node, a link to one, or a directory of sysfs"),),
    ),
    Verb(
        "presets",
        "list the built-in classes, or print one as configuration to copy",
        "agent.cli.verbs.presetting:presets",
        "cdi-sync presets vfio >> /etc/cdi-sync/conf.d/vfio.toml",
        (argument("name", nargs="?", metavar="NAME", help="the preset to print"),),
    ),
    Verb(
        "config",
        "check the configuration, show what is in force and from where, print its schema, or begin one",
        "agent.cli.verbs.configuring:config",
        "cdi-sync config init my.toml",
        (
            argument("action", choices=("check", "show", "schema", "init"), help="what to do"),
            argument("file", nargs="?", metavar="FILE", help="with init: the file to make (default the standard one)"),
        ),
    ),
    Verb(
        "import",
        "translate a peer's configuration into one of ours; what has no equivalent becomes a comment and a warning",
        "agent.cli.verbs.import_:run",
        "cdi-sync import power-device-plugin config.json > /etc/cdi-sync/conf.d/power.toml",
        (
            argument(
                "format",
                metavar="FORMAT",
                choices=("power-device-plugin", "generic-device-plugin", "smarter-device-manager"),
                help="power-device-plugin, generic-device-plugin or smarter-device-manager",
            ),
            argument("file", metavar="FILE", help="its configuration, or the manifest with it; - is standard input"),
        ),
        ("text",),
    ),
    Verb(
        "setup",
        "switch CDI on in a container runtime, losing nothing of its configuration, or take that back",
        "agent.cli.verbs.setting_up:setup",
        "cdi-sync setup containerd --dry-run",
        (
            argument("runtime", choices=("containerd", "crio", "docker", "podman"), help="which one"),
            argument("--dry-run", action="store_true", help="change nothing, print a diff of what would change"),
            argument("--revert", action="store_true", help="take back what was changed, and nothing else"),
            argument(
                "--drop-in",
                dest="place",
                action="store_const",
                const="drop-in",
                default="auto",
                help="put the settings into a file of their own",
            ),
            argument(
                "--in-place",
                dest="place",
                action="store_const",
                const="in-place",
                default="auto",
                help="edit the file that decides; without both, what loses nothing in this version",
            ),
            argument("--restart", action="store_true", help="restart the daemon if anything changed, and check it"),
            argument("--restart-command", metavar="COMMAND", help="restart it so, where there is no systemd"),
            argument("--root", metavar="DIR", help="work on the image below DIR"),
            argument("--runtime-version", metavar="X.Y", help="the runtime's version, where it cannot be asked"),
            argument(
                "--config",
                "--runtime-config",
                dest="runtime_config",
                metavar="FILE",
                type=_path,
                help="the runtime's configuration file, if not the usual one; or ours, told by what it holds",
            ),
        ),
        names_config=True,
    ),
    Verb(
        "status",
        "show what the running agent holds: devices, specs, what the kubelet knows of; or without one what it left",
        "agent.cli.verbs.status:status",
        "cdi-sync status --output json",
        (),
        ("text", "json"),
    ),
    Verb(
        "doctor",
        "check this node from kernel to kubelet, and say of what is wrong how to mend it; changes nothing",
        "agent.cli.verbs.doctoring:doctor",
        "cdi-sync doctor --output json",
        (),
        ("text", "json"),
        layered=True,
    ),
    Verb(
        "completion",
        "print a script by which a shell completes this program's command line",
        "agent.cli.verbs.completing:completion",
        "cdi-sync completion bash > /usr/share/bash-completion/completions/cdi-sync",
        (argument("shell", choices=("bash", "zsh", "fish", "tcsh"), help="the shell"),),
        ("text",),
    ),
)


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, as everything here does."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"error: {message}; see {self.prog} --help\n")


def parser(said: Container[str] | None = None) -> argparse.ArgumentParser:
    """Return the parser; the namespace it gives has ``run``, the command to call with it.

    ``said``: what the command line will say. Only verbs named there get their arguments, which is most of the work;
    without it all do.
    """
    top = _Parser(
        prog="cdi-sync",
        usage="cdi-sync [--once [--dry-run] [--check] [--root DIR]] [options]\n       cdi-sync VERB [options]",
        description="Turns this node's devices into validated CDI specs, and keeps them true event by event.",
        epilog=_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    top.add_argument("--once", action="store_true", help="make one pass, show what was found and written, and exit")
    top.add_argument("--dry-run", action="store_true", help="with --once: change nothing, print a diff of the changes")
    top.add_argument(
        "--check", action="store_true", help="with --once: change nothing, exit 3 if anything would change"
    )
    top.add_argument(
        "--root", metavar="DIR", type=_path, help="with --once: work on the image below DIR, declared devices only"
    )
    top.add_argument("--version", action="store_true", help="print the version and exit")
    _add_common(top, ("text", "json"))
    top.set_defaults(
        run=_main_job, config=None, spec_dir=None, state_dir=None, output="text", quiet=False, verbose=False
    )
    _add_verbs(top, said)
    return top


def _add_common(
    one: argparse.ArgumentParser, forms: tuple[str, ...], *, layered: bool = False, config: bool = True
) -> None:
    """Add what every command has. Without defaults, so that a verb's parser overrules nothing said before the verb."""
    absent = argparse.SUPPRESS
    if config:
        one.add_argument("--config", metavar="FILE", default=absent, type=_path,
                         help="use this file instead of /etc/cdi-sync/config.toml and its drop-ins")  # fmt: skip
    if layered:
        one.add_argument("--spec-dir", metavar="DIR", default=absent, action="append", type=_path,
                         help="read specs here; again for more, in order of rising priority "
                              "(default /etc/cdi, /var/run/cdi)")  # fmt: skip
    else:
        one.add_argument("--spec-dir", metavar="DIR", default=absent, type=_path,
                         help="where the specs go (default /etc/cdi)")  # fmt: skip
    one.add_argument("--state-dir", metavar="DIR", default=absent, type=_path,
                     help="what must survive a restart (default /var/lib/cdi-sync)")  # fmt: skip
    one.add_argument("--output", choices=forms, default=absent, help="form of the results (default text)")
    volume = one.add_mutually_exclusive_group()
    volume.add_argument("--quiet", action="store_true", default=absent, help="only errors, and the exit code")
    volume.add_argument("--verbose", action="store_true", default=absent, help="more of what is seen and decided")


def _add_verbs(top: argparse.ArgumentParser, said: Container[str] | None) -> None:
    rows = top.add_subparsers(title="verbs", metavar="VERB", parser_class=_Parser)
    for verb in VERBS:
        one = rows.add_parser(
            verb.name,
            help=verb.summary,
            description=f"{verb.summary[:1].upper()}{verb.summary[1:]}.",
            epilog=f"example:\n  {verb.example}\n",
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        one.set_defaults(run=_calling(verb.run))
        if said is None or verb.name in said:
            for row in verb.arguments:
                one.add_argument(*row.names, **row.options)
            _add_common(one, verb.forms, layered=verb.layered, config=not verb.names_config)


def _calling(target: str) -> Callable[[argparse.Namespace], int]:
    module, _, function = target.partition(":")
    return lambda options: int(getattr(import_module(module), function)(options))


def _main_job(options: argparse.Namespace) -> int:
    if options.version:
        from importlib.metadata import version

        print(f"cdi-sync {version('cdi-sync')}")
        return 0
    if (options.dry_run or options.check or options.root) and not options.once:
        parser().error("--dry-run, --check and --root go with --once")
    return _calling("agent.cli.once:once" if options.once else "agent.cli.serve:serve")(options)
