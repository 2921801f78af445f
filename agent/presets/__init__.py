"""Built-in classes, as data: the same TOML a user writes."""
