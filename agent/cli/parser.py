"""What may stand on the command line."""

from __future__ import annotations

import argparse
from typing import NoReturn

_EXAMPLE = """\
examples:
  cdi-sync --once                     find this machine's devices and write their specs
  cdi-sync --once --dry-run           show what that would change
  cdi-sync --config my.toml           keep the specs true until stopped

exit codes:
  0 done   1 some of the work failed   2 usage or configuration   3 --check found drift   4 not permitted
"""


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, as everything here does."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"error: {message}; see {self.prog} --help\n")


def parser() -> argparse.ArgumentParser:
    """Return the parser; the namespace it gives has ``run``, the command to call with it."""
    top = _Parser(
        prog="cdi-sync",
        usage="cdi-sync [--once [--dry-run] [--check]] [options]",
        description="Turns this node's devices into validated CDI specs, and keeps them true event by event.",
        epilog=_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    top.add_argument("--once", action="store_true", help="make one pass, show what was found and written, and exit")
    top.add_argument(
        "--dry-run",
        action="store_true",
        help="with --once: change nothing, print a diff of what would change",
    )
    top.add_argument(
        "--check",
        action="store_true",
        help="with --once: change nothing, exit 3 when something is out of sync",
    )
    top.add_argument(
        "--config", metavar="FILE", help="use this file instead of /etc/cdi-sync/config.toml and its drop-ins"
    )
    top.add_argument("--spec-dir", metavar="DIR", help="where the specs go (default /etc/cdi)")
    top.add_argument("--state-dir", metavar="DIR", help="what must survive a restart (default /var/lib/cdi-sync)")
    top.add_argument("--output", choices=("text", "json"), default="text", help="form of the results")
    volume = top.add_mutually_exclusive_group()
    volume.add_argument("--quiet", action="store_true", help="only errors, and the exit code")
    volume.add_argument("--verbose", action="store_true", help="more of what is seen and decided")
    top.add_argument("--version", action="store_true", help="print the version and exit")
    top.set_defaults(run=_main_job)
    return top


def _main_job(options: argparse.Namespace) -> int:
    if options.version:
        from importlib.metadata import version

        print(f"cdi-sync {version('cdi-sync')}")
        return 0
    if (options.dry_run or options.check) and not options.once:
        parser().error("--dry-run and --check go with --once")
    if options.once:
        from agent.cli.once import once

        return once(options)
    from agent.cli.serve import serve

    return serve(options)
