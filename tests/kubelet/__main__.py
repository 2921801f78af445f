"""A kubelet in the foreground: `python -m tests.kubelet DIRECTORY`.

Prints its journal as lines of JSON. SIGHUP restarts it, SIGTERM and SIGINT end it; the exit code is 1 when a plugin
broke a rule.
"""

from __future__ import annotations

import argparse
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tests.kubelet.kubelet import Kubelet

if TYPE_CHECKING:
    from tests.kubelet.journal import Event


def main() -> int:
    """Run it until a signal comes."""
    parser = argparse.ArgumentParser(prog="python -m tests.kubelet", description=__doc__)
    parser.add_argument("directory", type=Path, help="where kubelet.sock goes")
    parser.add_argument("--registry", type=Path, help="look for plugins that announce themselves there")
    parser.add_argument("--grace", type=float, default=300.0, help="seconds that capacity outlives its plugin")
    parser.add_argument("--rescan", type=float, default=1.0, help="seconds between two looks at the registry")
    parser.add_argument("--patience", type=float, default=2.0, help="seconds that a stream has to end; 0: no judgement")
    chosen = parser.parse_args()
    # Blocked in every thread, gRPC's included: one that gets a signal for the main one would keep it.
    signals = {signal.SIGHUP, signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    kubelet = Kubelet(
        chosen.directory,
        chosen.registry,
        grace=chosen.grace,
        rescan=chosen.rescan,
        patience=chosen.patience,
        told=_print,
    )
    with kubelet:
        while signal.sigwait(signals) == signal.SIGHUP:
            kubelet.restart(same_inode=True)
    return 1 if kubelet.breaches else 0


def _print(event: Event) -> None:
    sys.stdout.write(event.line() + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
