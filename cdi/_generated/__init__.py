"""Code made by programs; see tests/cdi/generate.py."""
