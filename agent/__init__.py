"""The node agent: finds devices, keeps their CDI specs true, and tells the runtime and the kubelet."""
