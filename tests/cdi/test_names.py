import pytest

from cdi import names
from cdi.errors import CDIError
from cdi.names import QualifiedName


@pytest.mark.parametrize(
    ("text", "runtimes", "ours"),
    [
        ("acme.com/modem", True, True),
        ("Acme_1.x/a-b", True, True),
        ("a/modem", True, False),
        ("acme.com/x", True, False),
        ("acme.com", False, False),
        ("/modem", False, False),
        ("acme.com/", False, False),
        ("acme.com/a/b", False, False),
        ("1acme.com/modem", False, False),
        ("acme.com/modem-", False, False),
        ("acme.com/mo dem", False, False),
        ("acme.com/modem\n", False, False),
        ("äcme.com/modem", False, False),
    ],
)
def test_kinds(text: str, runtimes: bool, ours: bool) -> None:
    assert (names.kind_problem(text, strict=False) is None) is runtimes
    assert (names.kind_problem(text) is None) is ours


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("a", None),
        ("0", None),
        ("a.b:c_d-0", None),
        ("", "empty"),
        (":a", "does not begin"),
        ("a:", "does not end"),
        ("a b", "characters other than"),
        ("é", "does not begin"),
    ],
)
def test_device_names(text: str, fault: str | None) -> None:
    problem = names.device_problem(text)
    assert problem is None if fault is None else problem is not None and fault in problem


@pytest.mark.parametrize(
    ("text", "vendor", "class_"),
    [
        ("", "vendor is empty", "class is empty"),
        ("a", "crashes containerd", "crashes containerd"),
        ("-ab", "does not begin", "does not begin"),
        ("ab.", "does not end", "does not end"),
        ("a/b", "characters other than", "characters other than"),
    ],
)
def test_vendor_and_class_say_why(text: str, vendor: str, class_: str) -> None:
    assert vendor in (names.vendor_problem(text) or "")
    assert class_ in (names.class_problem(text) or "")


def test_a_qualified_name_has_parts_and_a_text() -> None:
    name = names.parse_qualified("acme.com/modem=a:0")
    assert name == QualifiedName("acme.com", "modem", "a:0")
    assert name.kind == "acme.com/modem"
    assert str(name) == "acme.com/modem=a:0"


@pytest.mark.parametrize("text", ["", "a", "/dev/x", "acme.com/modem", "acme.com/modem=", "=a", "acme.com/m=a"])
def test_what_is_no_qualified_name(text: str) -> None:
    with pytest.raises(CDIError):
        names.parse_qualified(text)


def test_spec_names() -> None:
    assert names.spec_name("acme.com", "modem") == "acme.com-modem"
    assert names.transient_spec_name("acme.com", "modem", "pod/1") == "acme.com-modem_pod_1"


def test_annotations_come_back() -> None:
    devices = ["acme.com/modem=a", "acme.com/modem=b"]
    annotations = names.annotate({"other": "x"}, "acme.modem", "pod/1", devices)
    assert annotations == {"other": "x", "cdi.k8s.io/acme.modem_pod_1": "acme.com/modem=a,acme.com/modem=b"}
    keys, found = names.parse_annotations(annotations)
    assert keys == ("cdi.k8s.io/acme.modem_pod_1",)
    assert [str(name) for name in found] == devices


def test_a_request_is_not_overwritten() -> None:
    annotations = names.annotate({}, "acme.modem", "1", ["acme.com/modem=a"])
    with pytest.raises(CDIError, match="there already"):
        names.annotate(annotations, "acme.modem", "1", ["acme.com/modem=b"])


@pytest.mark.parametrize(
    ("plugin", "device_id"),
    [("", "1"), ("acme", ""), ("acme", "1" * 60), ("-acme", "1"), ("acme", "1-"), ("ac me", "1"), ("acme", "é1")],
)
def test_what_makes_no_annotation_key(plugin: str, device_id: str) -> None:
    with pytest.raises(CDIError):
        names.annotation_key(plugin, device_id)


def test_annotations_ask_for_qualified_names_only() -> None:
    with pytest.raises(CDIError):
        names.annotation_value(["modem"])
    with pytest.raises(CDIError, match=r"cdi.k8s.io/x: 'modem' is not of the form"):
        names.parse_annotations({"cdi.k8s.io/x": "acme.com/modem=a,modem", "other": "modem"})
