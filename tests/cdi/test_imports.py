import subprocess
import sys

import pytest

HEAVY = "{'yaml', 'pydantic', 'jsonschema', 'fastjsonschema', 'rich', 'watchdog', 'grpc', 'pyudev', 'asyncio'}"


@pytest.mark.parametrize(
    ("modules", "work"),
    [
        ("cdi.names, cdi.model, cdi.versions, cdi.validation, cdi.codec, cdi.schema", ""),
        ("cdi.registry, cdi.specdirs, cdi.oci, cdi.judgement", ""),
        (
            "cdi.codec, cdi.schema, cdi.validation",
            """
data = b'{"cdiVersion": "0.5.0", "kind": "a.b/cc", "devices": [{"name": "a", "containerEdits": {"env": ["A=1"]}}]}'
spec = cdi.codec.decode(data)
assert cdi.schema.check(cdi.codec.document(data)) == cdi.validation.check(spec) == ()
assert 'cdi.text' not in sys.modules, 'plain JSON pays for YAML'
""",
        ),
    ],
)
def test_the_library_is_light(modules: str, work: str) -> None:
    code = f"import sys, {modules}\n{work}\nprint(*({HEAVY} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.stdout.strip(), done.stderr) == ("", "")
