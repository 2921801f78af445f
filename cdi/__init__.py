"""The Container Device Interface as a library: names, specs, their rules, and their effect on a container.

Pure but for :mod:`cdi.specdirs`; knows nothing of the agent. Nothing is read, cached or registered on import.
"""
