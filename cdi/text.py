"""x"""

from typing import Any
from cdi.errors import CDIError, Problem


def tree(data: bytes, where: str = "") -> Any:
    """X."""
    raise CDIError(Problem(where, "the text is not JSON"))
