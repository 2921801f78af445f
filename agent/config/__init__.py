"""Configuration: TOML files in, checked and compiled settings out; an error names file, line and key.

:mod:`.model` is the one description of what may stand in a file; :mod:`.settings` is what the agent runs on.
Only :mod:`.settings` is imported by what stays resident: parsing carries pydantic, and runs in a child.
"""
