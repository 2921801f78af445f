"""Faults that are planted for real: doctor must name each, and what it advises must mend it.

FAULTS = Faults()

@FAULTS.plant("spec-dirs", "fail", "others can write it", advice="chmod go-w")
def spec_directory_of_everybody(patient):
    patient.low.chmod(0o777)
    advice = yield patient.low  # the subject that is to be named
    follow(advice)  # or whatever else it advises

@FAULTS.each
def test_a_fault(fault, patient):
    fault.examine(patient)
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import pytest

from tests.agent.doctor.patient import Patient

if TYPE_CHECKING:
    from agent.doctor.findings import Verdict

Planted: TypeAlias = Generator[Path | str, str, None]
Planter: TypeAlias = Callable[[Patient], Planted]


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault, and what the check that is to find it says."""

    check: str
    verdict: Verdict
    fact: str
    advice: str
    planter: Planter

    def examine(self, patient: Patient) -> None:
        """Plant it, see that it is named, mend it, see that nothing is wrong any more."""
        assert patient.complaints(self.check) == []
        planted = self.planter(patient)
        subject = str(next(planted))
        findings = patient.complaints(self.check)
        found = [one for one in findings if one.subject == subject]
        assert [one.verdict for one in found] == [self.verdict], findings
        assert self.fact in found[0].fact
        assert self.advice in found[0].advice
        with pytest.raises(StopIteration):
            planted.send(found[0].advice)
        assert patient.complaints(self.check) == []


@dataclass(slots=True)
class Faults:
    """The faults of one module of tests."""

    planted: list[tuple[Fault, bool]] = field(default_factory=list)

    def plant(
        self, check: str, verdict: Verdict, fact: str, *, advice: str, root: bool = False
    ) -> Callable[[Planter], Planter]:
        """Add a fault; ``root``: only root can plant it."""

        def add(planter: Planter) -> Planter:
            self.planted.append((Fault(check, verdict, fact, advice, planter), root))
            return planter

        return add

    @property
    def each(self) -> pytest.MarkDecorator:
        """Give a test each of them."""
        return pytest.mark.parametrize(
            "fault",
            [
                pytest.param(one, id=one.planter.__name__, marks=[pytest.mark.root] if root else [])
                for one, root in self.planted
            ],
        )
