"""What can be told where no agent answers: the specs on disk."""

from __future__ import annotations

from agent.status.files import spec_files
from agent.status.state import Document, problem_document, spec_document
from cdi.errors import Problem


def document(spec_dir: str, state_dir: str, holder: str | None, proc: str = "/proc") -> Document:
    """Return the document that an agent would, with nothing in it that only one knows.

    Args:
        spec_dir: the spec directory.
        state_dir: where no agent answers.
        holder: who has the spec directory's lock, as one says it.
        proc: where the kernel tells when it was started.
    """
    problems = []
    try:
        specs = spec_files(spec_dir, proc=proc)
    except OSError as error:
        specs = ()
        reason = (error.strerror or str(error)).lower()
        problems.append(Problem(spec_dir, f"cannot be listed: {reason}", "run it as root"))
    return {
        "agent": None,
        "holder": holder,
        "specDir": spec_dir,
        "stateDir": state_dir,
        "configuration": None,
        "lastPass": None,
        "lastSuccess": None,
        "classes": [],
        "specs": [spec_document(one) for one in specs],
        "resources": [],
        "containerd": None,
        "problems": [problem_document(one) for one in problems],
    }
