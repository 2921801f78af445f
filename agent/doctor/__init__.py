"""Checks a node from kernel to kubelet. It looks, and changes nothing.

`node` gathers facts, each once; the checks in `checks` turn them into findings; `examination` runs them in time.
"""
