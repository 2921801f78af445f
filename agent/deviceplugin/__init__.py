"""The kubelet's device plugin interface (v1beta1): one socket for each resource, and a registration that lasts.

Reads the `agent.inventory`; knows nothing of devices, specs or files but its own sockets.
"""
