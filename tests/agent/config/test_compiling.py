from __future__ import annotations

import pytest

from agent.config import files
from agent.config.checking import settings_of
from agent.config.compiling import seconds
from agent.config.settings import Kubelet, Resource
from cdi.model import ContainerEdits, Device, DeviceNode, Hook, Mount
from tests.agent.config.test_load import MODEM, faults, loaded

DECLARED = '[[class]]\nkind = "acme.com/modem"\n[[class.device]]\nname = "x"\n'


def in_select(line: str) -> str:
    return f'[[class]]\nkind = "acme.com/modem"\n[[class.select]]\n{line}\n'


KINDS = [
    ("", '1.toml:1:1: class[0].kind: is missing; a class needs a kind, such as "acme.com/modem"'),
    ('kind = ""', "1.toml:2:1: class[0].kind: is missing"),
    ('kind = ""\npreset = "kvm"', "1.toml:2:1: class[0].kind: is missing"),
    (
        'kind = "modem"',
        "1.toml:2:1: class[0].kind: kind 'modem' is not of the form vendor/class; write it like \"acme.com/modem\"",
    ),
    ('kind = "a/modem"', "1.toml:2:1: class[0].kind: vendor 'a' has a single character, which crashes containerd; "),
    ('kind = "acme.com/m"', "1.toml:2:1: class[0].kind: class 'm' has a single character, which crashes containerd; "),
    ('kind = "1acme/modem"', "1.toml:2:1: class[0].kind: vendor '1acme' does not begin with a letter; "),
    ('kind = "acme.com/mo/dem"', "1.toml:2:1: class[0].kind: class 'mo/dem' has characters other than "),
    ('kind = "acme.com/modem-"', "1.toml:2:1: class[0].kind: class 'modem-' does not end with a letter or digit; "),
    ('kind = "acme+com/modem"', "1.toml:2:1: class[0].kind: vendor 'acme+com' has characters other than "),
    (f'kind = "{"a" * 200}/{"b" * 60}"', "1.toml:2:1: class[0].kind: is longer than "),
]


@pytest.mark.parametrize(("line", "fault"), KINDS)
def test_a_kind_that_cannot_be_used(line: str, fault: str) -> None:
    (told,) = faults(f'[[class]]\n{line}\nselect = [{{ devnode = "/dev/x" }}]')
    assert told.startswith(fault)
    assert "; " in told


FAULTS = [
    ('[[class]]\nkind = "acme.com/modem"', "1.toml:1:1: class[0]: takes no device; add a [[class.select]] or a "),
    (MODEM + 'name = "{sysnam}"', "1.toml:4:1: class[0].name: this template cannot be used: {sysnam} is not a known "),
    (MODEM + 'name = "{ID_X"', "1.toml:4:1: class[0].name: this template cannot be used: '{' at character 1 has no "),
    (MODEM + 'name = ""', "1.toml:4:1: class[0].name: this template cannot be used: it is empty; write it like "),
    (MODEM + 'name = "{name}"', "1.toml:4:1: class[0].name: this template cannot be used: {name} is not a known field"),
    (
        MODEM + '[class.node]\npath = "/dev/{nmae}"',
        "1.toml:5:1: class[0].node.path: this template cannot be used: {nmae} is not a known field (did you mean",
    ),
    (MODEM + '[class.node]\npath = "dev/x"', "1.toml:5:1: class[0].node.path: must be an absolute path without empty"),
    (MODEM + '[class.node]\npath = "/dev/../x"', "1.toml:5:1: class[0].node.path: must be an absolute path without"),
    (MODEM + '[class.node]\npath = "/dev//x"', "1.toml:5:1: class[0].node.path: must be an absolute path without"),
    (MODEM + '[class.node]\npath = "/dev/x/"', "1.toml:5:1: class[0].node.path: must be an absolute path without"),
    (MODEM + '[class.node]\npath = "{name}"', "1.toml:5:1: class[0].node.path: must be an absolute path without"),
    (
        MODEM + '[class.node]\npath = "/dev/\\u0000{name}"',
        "1.toml:5:1: class[0].node.path: has a control character; ",
    ),
    (MODEM + '[class.node]\npath = "/dev/\\u001b"', "1.toml:5:1: class[0].node.path: has a control character; "),
    (
        MODEM + '[class.node]\npermissions = "rr"',
        "1.toml:5:1: class[0].node.permissions: 'rr' repeats a letter; write each of r, w, m once",
    ),
    ('[agent]\nspec_dir = "/a\\u0000b"', "1.toml:2:1: agent.spec_dir: has a control character; "),
    ('[agent]\nstate_dir = "/a\\nb"', "1.toml:2:1: agent.state_dir: has a control character; "),
    (in_select(""), "1.toml:3:1: class[0].select[0]: has no key, and would take every device; give at least one"),
    (
        in_select("devnode = []"),
        "1.toml:4:1: class[0].select[0].devnode: is a list without a glob, which nothing could",
    ),
    (in_select("properties.X = []"), "1.toml:4:1: class[0].select[0].properties.X: is a list without a glob, which "),
    (in_select('subsystem = "tty"\ndevnode = []'), "1.toml:5:1: class[0].select[0].devnode: is a list without a glob"),
    (in_select("properties = {}"), "1.toml:3:1: class[0].select[0]: has no key, and would take every device"),
    (
        in_select('devnode = "/dev/["'),
        "1.toml:4:1: class[0].select[0].devnode: this glob cannot be used: '/dev/[' has an unclosed '['; correct it",
    ),
    (
        in_select('devnode = ["/dev/a", "/dev/b",\n\n "/dev/[b-a]"]'),
        "1.toml:6:2: class[0].select[0].devnode[2]: this glob cannot be used: '/dev/[b-a]' has a range that runs back",
    ),
    (
        in_select('devnode = "ttyUSB*"'),
        "1.toml:4:1: class[0].select[0].devnode: this glob cannot be used: 'ttyUSB*' is",
    ),
    (in_select('subsystem = ""'), "1.toml:4:1: class[0].select[0].subsystem: this glob cannot be used: an empty glob"),
    (
        in_select('properties = { DM_UUID = "a*", X = "[" }'),
        "1.toml:4:32: class[0].select[0].properties.X: this glob cannot be used: '[' has an unclosed '['",
    ),
    (
        in_select('attributes = { "/etc/shadow" = "*" }'),
        '1.toml:4:16: class[0].select[0].attributes."/etc/shadow": is no path inside the device\'s directory; ',
    ),
    (in_select('attributes."a/../../b" = "*"'), '1.toml:4:1: class[0].select[0].attributes."a/../../b": is no path'),
    (in_select('attributes."a\\u0000b" = "*"'), "1.toml:4:1: class[0].select[0].attributes."),
    (in_select('attributes."" = "*"'), '1.toml:4:1: class[0].select[0].attributes."": '),
    (
        '[[class]]\nkind = "acme.com/modem"\n[[class.device]]\ncontainerEdits.env = ["A=1"]',
        "1.toml:3:1: class[0].device[0].name: is missing; name it with letters, digits and . _ - :",
    ),
    (
        DECLARED.replace('"x"', '"-x"') + 'containerEdits.env = ["A=1"]',
        "1.toml:4:1: class[0].device[0].name: device name '-x' does not begin with a letter or digit; ",
    ),
    (DECLARED, "1.toml:3:1: class[0].device[0]: edits nothing; add containerEdits, such as deviceNodes"),
    (DECLARED + "containerEdits = {}", "1.toml:3:1: class[0].device[0]: edits nothing; "),
    (
        DECLARED + 'containerEdits.env = ["A=1"]\n[[class.device]]\nname = "x"\ncontainerEdits.env = ["A=1"]',
        "1.toml:7:1: class[0].device[1].name: 'x' is declared twice; rename one",
    ),
    (
        DECLARED + f'containerEdits.env = ["A=1"]\nannotations = {{ {"k" * 2000} = "v" }}',
        "1.toml:6:1: class[0].device[0].annotations: ",
    ),
]

FAULTS += [
    (MODEM + "requires = 2", "1.toml:4:1: class[0].requires: counts the nodes of a group, and there is no group_by; "),
    (MODEM + "requires = 0", "1.toml:4:1: class[0].requires: "),
    (MODEM + "requires = true", "1.toml:4:1: class[0].requires: must be a whole number, not true or false; "),
    (MODEM + 'group_by = "bus"', "1.toml:4:1: class[0].group_by: 'bus' is nothing to group by; write "),
    (MODEM + 'group_by = "parent:"', "1.toml:4:1: class[0].group_by: 'parent:' is nothing to group by; write "),
    (MODEM + "only_all = true", "1.toml:4:1: class[0].only_all: there is no device to write, since all is not set; "),
    (MODEM + 'all = "-"', "1.toml:4:1: class[0].all: device name '-' does not begin with a letter or digit; "),
    (MODEM + 'all = ""', "1.toml:4:1: class[0].all: the device name is empty; "),
    (in_select("usb = {}"), "1.toml:4:1: class[0].select[0].usb: has no key, and would fit every device on the bus; "),
    (in_select("pci = {}"), "1.toml:4:1: class[0].select[0].pci: has no key, and would fit every device on the bus; "),
    (in_select("parent = {}"), "1.toml:4:1: class[0].select[0].parent: has no key, and would fit every ancestor; "),
    (
        in_select("usb.vendor = []"),
        "1.toml:4:1: class[0].select[0].usb.vendor: is a list without a glob, which nothing",
    ),
    (in_select('usb.vendro = "x"'), "1.toml:4:1: class[0].select[0].usb.vendro: unknown key; did you mean 'vendor'?"),
    (in_select('pci.class = "["'), "1.toml:4:1: class[0].select[0].pci.class: this glob cannot be used: '[' has an un"),
    (in_select("usb = 1"), "1.toml:4:1: class[0].select[0].usb: must be a table, not a whole number; write a table"),
    (
        in_select('parent = { attributes = { "/x" = "y" } }'),
        '1.toml:4:27: class[0].select[0].parent.attributes."/x": is no path inside the device\'s directory; ',
    ),
    (
        MODEM + 'deviceEdits.env = ["A={sysnam}"]',
        "1.toml:4:20: class[0].deviceEdits.env[0]: this template cannot be used: {sysnam} is not a known field",
    ),
    (
        MODEM + 'deviceEdits.env = ["{sysname}"]',
        "1.toml:4:20: class[0].deviceEdits.env[0]: ",
    ),
    (
        MODEM + 'deviceEdits.hooks = [{ hookName = "createRuntime", path = "/x/{serial}" }]',
        "1.toml:4:52: class[0].deviceEdits.hooks[0].path: is part of a hook's command, where no device may have",
    ),
    (
        MODEM + 'deviceEdits.hooks = [{ hookName = "createRuntime", path = "/x", args = ["{serial}"] }]',
        "1.toml:4:73: class[0].deviceEdits.hooks[0].args[0]: is part of a hook's command, where no device may have a",
    ),
    (MODEM + "deviceEdits.enw = []", "1.toml:4:1: class[0].deviceEdits.enw: "),
]

EDITS = [
    ('env = ["A=1", "B"]', "1.toml:5:15: class[0].device[0].containerEdits.env[1]: "),
    ('env = "A=1"', "1.toml:5:1: class[0].device[0].containerEdits.env: "),
    ("env = [1]", "1.toml:5:8: class[0].device[0].containerEdits.env[0]: "),
    ("enw = []", "1.toml:5:1: class[0].device[0].containerEdits.enw: "),
    ("deviceNodes = [{}]", "1.toml:5:16: class[0].device[0].containerEdits.deviceNodes[0]"),
    (
        'deviceNodes = [{ path = "/a" }, { path = "/b", permissions = "rx" }]',
        "1.toml:5:48: class[0].device[0].containerEdits.deviceNodes[1].permissions: ",
    ),
    (
        'deviceNodes = [{ path = "/a", major = "8" }]',
        "1.toml:5:31: class[0].device[0].containerEdits.deviceNodes[0].major: ",
    ),
    ('deviceNodes = [{ path = "" }]', "1.toml:5:18: class[0].device[0].containerEdits.deviceNodes[0].path: "),
    ('mounts = [{ hostPath = "/a" }]', "1.toml:5:11: class[0].device[0].containerEdits.mounts[0]"),
    (
        'hooks = [{ hookName = "never", path = "/x" }]',
        "1.toml:5:12: class[0].device[0].containerEdits.hooks[0].hookName: ",
    ),
    ("additionalGids = [-1]", "1.toml:5:19: class[0].device[0].containerEdits.additionalGids[0]: "),
    ("additionalGids = [1.5]", "1.toml:5:19: class[0].device[0].containerEdits.additionalGids[0]: "),
    ("intelRdt = { closID = '..' }", "1.toml:5:14: class[0].device[0].containerEdits.intelRdt.closID: "),
]


@pytest.mark.parametrize(("text", "fault"), FAULTS)
def test_a_fault_is_told_with_its_place_and_what_to_do(text: str, fault: str) -> None:
    (told,) = faults(text)
    assert told.startswith(fault)
    assert "; " in told


@pytest.mark.parametrize(("line", "fault"), EDITS)
def test_a_fault_in_edits_is_told_with_the_place_of_the_inner_key(line: str, fault: str) -> None:
    for told in (
        faults(DECLARED + f"containerEdits.{line}"),
        faults(f"{DECLARED}[class.device.containerEdits]\n{line}"),
    ):
        assert len(told) == 1
        assert "; " in told[0]
    shifted = faults(f"{DECLARED.removesuffix(chr(10))} # x\n[class.device.containerEdits]\n{line}")
    assert shifted[0].startswith(fault.replace("1.toml:5", "1.toml:6"))


def test_a_fault_in_the_classs_edits_is_told_too() -> None:
    (told,) = faults(
        MODEM + '[class.containerEdits]\nenv = ["A=1"]\nmounts = [\n  { hostPath = "/a", containerPath = "" },\n]'
    )
    assert told.startswith("1.toml:7:22: class[0].containerEdits.mounts[0].containerPath: ")


@pytest.mark.parametrize("line", ['Env = ["A=1"]', "env = []"])
def test_edits_that_are_wrong_as_a_whole_are_told_with_their_own_place(line: str) -> None:
    (told,) = faults(f"{DECLARED}[class.device.containerEdits]\n{line}")
    assert told.startswith("1.toml:5:1: class[0].device[0].containerEdits: ")


def test_every_fault_of_a_text_is_told_at_once() -> None:
    told = faults(
        '[agent]\nmax_cdi_version = "9.9.9"\n' + MODEM + 'name = "{"\n[[class.exclude]]\ndevnode = ["/[", "x"]'
    )
    assert len(told) == 4


def test_a_whole_class_is_compiled() -> None:
    (one,) = loaded(
        """
        [[class]]
        kind = "pflex.io/block"
        name = "{DM_UUID|sysname}"
          [[class.select]]
          subsystem = "block"
          devnode = ["/dev/dm-*", "/dev/mapper/mpath*"]
          properties = { DM_UUID = "mpath-*" }
          attributes = { "queue/rotational" = ["0", "1"] }
          [[class.exclude]]
          devnode = "/dev/dm-3"
          [class.node]
          permissions = "r"
          path = "/dev/block/{name}"
          group = true
          [class.containerEdits]
          env = ["V=pflex"]
          mounts = [{ hostPath = "/a", containerPath = "/b", options = ["ro"] }]
          hooks = [{ hookName = "createRuntime", path = "/x", args = ["x", "{name}"], timeout = 5 }]
        """
    ).classes
    (select,), (exclude,) = one.selects, one.excludes
    assert (one.kind, one.file_name) == ("pflex.io/block", "cdi-sync+pflex.io+block.json")
    assert [pattern.text for pattern in select.subsystem] == ["block"]
    assert [pattern.text for pattern in select.devnode] == ["/dev/dm-*", "/dev/mapper/mpath*"]
    assert [pattern.text for pattern in select.properties["DM_UUID"]] == ["mpath-*"]
    assert [pattern.text for pattern in select.attributes["queue/rotational"]] == ["0", "1"]
    assert [pattern.text for pattern in exclude.devnode] == ["/dev/dm-3"]
    assert (one.name.text, one.node.permissions, one.node.group) == ("{DM_UUID|sysname}", "r", True)
    assert one.node.path is not None
    assert one.node.path.text == "/dev/block/{name}"
    assert one.container_edits == ContainerEdits(
        env=("V=pflex",),
        mounts=(Mount(host_path="/a", container_path="/b", options=("ro",)),),
        hooks=(Hook(hook_name="createRuntime", path="/x", args=("x", "{name}"), timeout=5),),
    )


def test_declared_devices_are_the_cdi_text_as_it_stands() -> None:
    (one,) = loaded(
        DECLARED
        + 'containerEdits.deviceNodes = [{ path = "/dev/kvm", permissions = "rw" }]\nannotations = { a = "b" }\n'
        + '[[class.device]]\nname = "y"\nwhen = "always"\ncontainerEdits.env = ["A=1"]'
    ).classes
    edits = ContainerEdits(device_nodes=(DeviceNode(path="/dev/kvm", permissions="rw"),))
    assert [(each.device, each.always) for each in one.declared] == [
        (Device(name="x", container_edits=edits, annotations={"a": "b"}), False),
        (Device(name="y", container_edits=ContainerEdits(env=("A=1",))), True),
    ]


@pytest.mark.parametrize(
    ("text", "number"),
    [("100ms", 0.1), ("30s", 30.0), ("1.5s", 1.5), ("10m", 600.0), ("2h", 7200.0), ("7d", 604800.0), ("0s", 0.0)],
)
def test_a_time_in_seconds(text: str, number: float) -> None:
    assert seconds(text) == pytest.approx(number)
    assert loaded(f'[agent]\nsettle = "{text}"').settle == pytest.approx(number)


def test_a_resync_is_never_more_often_than_each_second() -> None:
    assert loaded('[agent]\nresync = "1ms"').resync == 1.0


@pytest.mark.parametrize(
    ("resource", "fault"),
    [
        ("acme.com/modem", ""),
        ("smarter-devices/ttyUSB0", ""),
        ("pflex.io/block", ""),
        ("modem", "is no name of a resource"),
        ("Acme.com/modem", "is no name of a resource"),
        ("acme.com/mo/dem", "is no name of a resource"),
        ("acme.com/-modem", "is no name of a resource"),
        (f"acme.com/{'m' * 64}", "is no name of a resource"),
        (f"{'a' * 241}.com/modem", "is no name of a resource"),
        ("acme-kubernetes.io/modem", "is reserved by Kubernetes"),
        ("kubernetes.io/modem", "is reserved by Kubernetes"),
        ("acme.kubernetes.io/modem", "is reserved by Kubernetes"),
        ("requests.acme.com/modem", "is reserved by Kubernetes"),
    ],
)
def test_a_resource_that_the_kubelet_would_refuse_is_a_fault(resource: str, fault: str) -> None:
    text = f'[[class]]\npreset = "kvm"\n[class.kubernetes]\nresource = "{resource}"\n'
    (told, *_) = [*faults(text), ""]
    assert fault in told
    assert told.startswith("1.toml:4:1: class[0].kubernetes.resource: ") == bool(fault)
    assert faults(text + "enabled = false\n") == []


def test_a_class_is_a_resource_of_its_kind_unless_it_says_otherwise() -> None:
    text = """\
[[class]]
preset = "kvm"
[[class]]
preset = "fuse"
[class.kubernetes]
enabled = false
[[class]]
preset = "tun"
[class.kubernetes]
resource = "acme.com/tunnel"
shares = 4
health = "open"
"""
    settings = settings_of((files.parse("a.toml", text),))
    assert [one.resource for one in settings.classes] == [
        Resource(name="cdi-sync/kvm"),
        None,
        Resource(name="acme.com/tunnel", shares=4, opens=True),
    ]
    assert [one.name for one in settings.resources] == ["cdi-sync/kvm", "acme.com/tunnel"]
    assert settings_of((files.parse("a.toml", f"kubelet.device_plugin = false\n{text}"),)).resources == ()


def test_a_kind_that_the_kubelet_would_refuse_is_only_not_offered() -> None:
    text = '[[class]]\nkind = "Acme_1/modem"\n[[class.select]]\ndevnode = "/dev/ttyUSB*"\n'
    settings = settings_of((files.parse("a.toml", text),))
    assert settings.resources == ()
    assert [(note.where, note.message.partition(":")[0]) for note in settings.notes] == [
        ("a.toml:2:1", "'Acme_1/modem' is no name of a resource")
    ]
    assert settings_of((files.parse("a.toml", f"kubelet.device_plugin = false\n{text}"),)).notes == ()
    assert settings_of((files.parse("a.toml", text + "[class.kubernetes]\nenabled = false\n"),)).notes == ()
    assert faults(text + "[class.kubernetes]\nshares = 2\n") != []  # asked for


def test_two_classes_are_not_one_resource() -> None:
    text = '[[class]]\npreset = "kvm"\n[[class]]\npreset = "fuse"\nkubernetes.resource = "cdi-sync/kvm"\n'
    (told,) = faults(text)
    assert told.startswith("1.toml:5:1: class[1].kubernetes.resource: 'cdi-sync/kvm' is the resource of another class")


@pytest.mark.parametrize(
    ("text", "settings"),
    [
        ("", Kubelet()),
        (
            """
device_plugin = true
registration = "plugin-watcher"
directory = "/run/k/device-plugins/"
tombstones = "2h"
""",
            Kubelet(device_plugin=True, directory="/run/k/device-plugins", watched=True, tombstones=7200.0),
        ),
    ],
)
def test_how_the_kubelet_is_served(text: str, settings: Kubelet) -> None:
    found = settings_of((files.parse("a.toml", f"[kubelet]\n{text}"),)).kubelet
    assert found == settings
    assert found.sockets == ("/run/k/plugins_registry" if found.watched else "/var/lib/kubelet/device-plugins")


def test_the_kubelets_directory_leaves_room_for_the_name_of_a_socket() -> None:
    assert faults(f'[kubelet]\ndirectory = "/{"d" * 69}"\n') == []
    (told,) = faults(f'[kubelet]\ndirectory = "/{"d" * 70}"\n')
    assert "is too long" in told


def test_metrics_have_an_address_or_are_off() -> None:
    assert settings_of((files.parse("a.toml", ""),)).metrics is None
    settings = settings_of((files.parse("a.toml", '[agent]\nmetrics = "[::1]:9464"\n'),))
    assert (settings.metrics, settings.notes) == ("[::1]:9464", ())


@pytest.mark.parametrize(
    ("address", "fact"),
    [
        ("localhost:9464", "'localhost' is no IP address"),
        ("1.2.3:9464", "'1.2.3' is no IP address"),
        ("[1::2::3]:9464", "'[1::2::3]' is no IP address"),
        ("127.0.0.1:0", "there is no port 0"),
        ("127.0.0.1:65536", "there is no port 65536"),
        ("9464", "must be an address such as"),
        ("::1:9464", "must be an address such as"),
        ("", "must be an address such as"),
        ("127.0.0.1:9464\\n", "must be an address such as"),
    ],
)
def test_an_address_that_nobody_can_listen_at_is_told(address: str, fact: str) -> None:
    (told,) = faults(f'[agent]\nmetrics = "{address}"\n')
    assert fact in told
