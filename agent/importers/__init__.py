"""A peer's configuration to ours: text in, text out, nothing read or written.

Each format has a module with one function, from the file's text to an `agent.importers.draft.Draft`; what that says
is written as TOML by :mod:`.writer`. Whatever has no equivalent here is a remark: a comment in the result, and said
aloud by whoever asked.
"""
