"""A kubelet for tests: its device manager and its plugin watcher, as far as a device plugin can tell.

`tests.kubelet.kubelet.Kubelet` is the whole of it; `python -m tests.kubelet DIRECTORY` runs one. What it does was read
in the real one (kubernetes, pkg/kubelet/cm/devicemanager and pkg/kubelet/pluginmanager) and seen with kubelet 1.36;
what it adds is a journal, judgement, and trouble on demand.
"""

import os

# Before anyone imports grpc: children of the tests are not gRPC's to care for, and its log is not theirs.
for _name, _value in (("GRPC_ENABLE_FORK_SUPPORT", "0"), ("GRPC_VERBOSITY", "NONE")):
    os.environ.setdefault(_name, _value)
