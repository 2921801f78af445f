"""What wakes the agent, and what does not harm it."""

from __future__ import annotations

import pytest

from tests.fuzz.discovering import check_message


@pytest.mark.root
@pytest.mark.parametrize(
    "properties",
    [
        b"ACTION=add\0DEVPATH=/devices/virtual/mem/null\0SUBSYSTEM=mem\0DEVNAME=/dev/null\0SEQNUM=7\0",
        b"ACTION=add\0SUBSYSTEM=mem\0DEVNAME=/dev/null\0SEQNUM=7\0",  # without a DEVPATH it is no message
        b"ACTION=add\0DEVPATH=/devices/x\0SUBSYSTEM=\xff\0DEVNAME=/dev/\xff\0SEQNUM=7\0",
        b"ACTION=add\0DEVPATH=/devices/x\0SUBSYSTEM=mem\0DEVNAME=/etc/passwd\0SEQNUM=7\0",  # libudev would abort
    ],
)
def test_whatever_comes_as_an_event_makes_it_look_again(properties: bytes) -> None:
    assert check_message(properties)
