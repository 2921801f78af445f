from __future__ import annotations

import os

import pytest

from agent.cli.parser import VERBS, Verb
from tests.agent.cli.verbs.commands_page import PAGE, as_run


@pytest.mark.skipif(os.geteuid() != 0, reason="the page shows what root sees")
def test_every_command_on_the_page_prints_what_the_page_says() -> None:
    page = PAGE.read_text()
    assert as_run(page) == page


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb.name)
def test_every_verb_is_on_the_page_with_its_options(verb: Verb) -> None:
    _, found, section = PAGE.read_text().partition(f"\n## {verb.name}\n")
    assert found, f"{PAGE} has no section on {verb.name}"
    section = section.partition("\n## ")[0]
    for argument in verb.arguments:
        word = argument.names[-1] if argument.names[-1].startswith("-") else argument.options.get("metavar")
        assert word is None or any(f"{before}{word}" in section for before in " `[|"), (verb.name, word)
        for choice in argument.options.get("choices", ()):
            assert choice in section, (verb.name, choice)
