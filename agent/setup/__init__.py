"""Switching CDI on in a container runtime: looks, applies what `agent.runtimes` plans, proves it, or takes it back."""
