"""The verbs: each module reads the spec directories or a file, and prints what the library makes of them."""
