from __future__ import annotations

import pytest

from agent.cli import main
from agent.cli.parser import parser


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--quux"], "unrecognized arguments: --quux"),
        (["--onc"], "unrecognized arguments: --onc"),
        (["--once", "--output", "xml"], "invalid choice: 'xml'"),
        (["--once", "--quiet", "--verbose"], "not allowed with argument"),
        (["--config"], "expected one argument"),
        (["--dry-run"], "go with --once"),
        (["--check"], "go with --once"),
    ],
)
def test_a_wrong_command_line_is_told_in_one_line(
    arguments: list[str], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as exit_:
        main(arguments)
    assert exit_.value.code == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: ")
    assert complaint in err
    assert err.endswith("; see cdi-sync --help\n")
    assert err.count("\n") == 1


def test_help_has_examples_and_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        main(["--help"])
    assert exit_.value.code == 0
    shown = capsys.readouterr().out
    for word in ("examples:", "exit codes:", "--once", "--dry-run", "--check", "--config FILE", "--spec-dir DIR"):
        assert word in shown


def test_the_version_is_the_packages(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("cdi-sync 0.")


def test_every_option_has_its_default() -> None:
    options = parser().parse_args([])
    assert (options.config, options.spec_dir, options.state_dir, options.output) == (None, None, None, "text")
    assert (options.quiet, options.verbose, options.once, options.dry_run, options.check) == (False,) * 5
