"""Texts of spec files as container runtimes read them: YAML 1.1 in the dialect of one Go library.

No Python library reads this dialect: it refuses escaped slashes and surrogates, which JSON has; it takes ``08`` as 8,
``y`` as true and ``!!set`` as a map; it stops reading behind the first document, whatever follows. So it is spelt out
here: characters (``characters``, ``cursor``), tokens (``tokens``, ``scanner``, ``properties``, ``styles``), nodes
(``nodes``), scalars (``scalars``), and the tree of plain values that comes of them (``tree``).
"""
