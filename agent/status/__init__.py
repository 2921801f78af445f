"""What the agent holds, told on demand: the value, the counters behind it, and the socket where it is asked for.

Nothing here is kept up to date: a state is made when somebody asks, from what the agent has anyway.
"""
