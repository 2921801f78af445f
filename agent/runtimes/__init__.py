"""Pure planners: what a container runtime's configuration says now and its version, to what must change and why.

Nothing here reads or writes: the texts come in as bytes, the changes go out as values, which `agent.setup` applies.
"""
