"""Metrics and health over HTTP: brought in only where an address is configured, made only when asked for."""
