import doctest
from pathlib import Path

import cdi

DOCUMENT = Path(cdi.__file__).parents[1] / "docs" / "library.md"


def test_the_examples_of_the_manual_run() -> None:
    failed, run = doctest.testfile(str(DOCUMENT), module_relative=False, encoding="utf-8")
    assert failed == 0
    assert run > 50
