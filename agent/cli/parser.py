"""What may stand on the command line: the main job's options, and one row a verb."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from collections.abc import Callable

_EXAMPLE = """\
examples:
  cdi-sync --once                     find this machine's devices and write their specs
  cdi-sync --once --dry-run           show what that would change
  cdi-sync --config my.toml           keep the specs true until stopped

exit codes:
  0 done   1 some of the work failed   2 usage or configuration   3 --check found drift   4 not permitted
"""


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument of a verb: what argparse is to be told of it."""

    names: tuple[str, ...]
    options: dict[str, Any]


def argument(*names: str, **options: Any) -> Argument:
    """Write an argument as one would to argparse."""
    return Argument(names, options)


@dataclass(frozen=True, slots=True)
class Verb:
    """One verb: ``run`` names, as ``module:function``, what is called with the namespace and returns the exit code.

    It is named, not imported, so that no verb pays for another's imports.
    """

    name: str
    summary: str
    run: str
    example: str
    arguments: tuple[Argument, ...] = ()
    forms: tuple[str, ...] = ("text", "json")


VERBS: tuple[Verb, ...] = ()


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, as everything here does."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"error: {message}; see {self.prog} --help\n")


def parser() -> argparse.ArgumentParser:
    """Return the parser; the namespace it gives has ``run``, the command to call with it."""
    top = _Parser(
        prog="cdi-sync",
        usage="cdi-sync [--once [--dry-run] [--check]] [options]"
        + ("\n       cdi-sync VERB [options]" if VERBS else ""),
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
    top.add_argument("--version", action="store_true", help="print the version and exit")
    _add_common(top, ("text", "json"))
    top.set_defaults(
        run=_main_job, config=None, spec_dir=None, state_dir=None, output="text", quiet=False, verbose=False
    )
    if VERBS:
        _add_verbs(top)
    return top


def _add_common(one: argparse.ArgumentParser, forms: tuple[str, ...]) -> None:
    """Add what every command has. Without defaults, so that a verb's parser overrules nothing said before the verb."""
    absent = argparse.SUPPRESS
    one.add_argument("--config", metavar="FILE", default=absent,
                     help="use this file instead of /etc/cdi-sync/config.toml and its drop-ins")  # fmt: skip
    one.add_argument("--spec-dir", metavar="DIR", default=absent, help="where the specs go (default /etc/cdi)")
    one.add_argument("--state-dir", metavar="DIR", default=absent,
                     help="what must survive a restart (default /var/lib/cdi-sync)")  # fmt: skip
    one.add_argument("--output", choices=forms, default=absent, help="form of the results (default text)")
    volume = one.add_mutually_exclusive_group()
    volume.add_argument("--quiet", action="store_true", default=absent, help="only errors, and the exit code")
    volume.add_argument("--verbose", action="store_true", default=absent, help="more of what is seen and decided")


def _add_verbs(top: argparse.ArgumentParser) -> None:
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
        for row in verb.arguments:
            one.add_argument(*row.names, **row.options)
        _add_common(one, verb.forms)
        one.set_defaults(run=_calling(verb.run))


def _calling(target: str) -> Callable[[argparse.Namespace], int]:
    module, _, function = target.partition(":")
    return lambda options: int(getattr(import_module(module), function)(options))


def _main_job(options: argparse.Namespace) -> int:
    if options.version:
        from importlib.metadata import version

        print(f"cdi-sync {version('cdi-sync')}")
        return 0
    if (options.dry_run or options.check) and not options.once:
        parser().error("--dry-run and --check go with --once")
    return _calling("agent.cli.once:once" if options.once else "agent.cli.serve:serve")(options)
