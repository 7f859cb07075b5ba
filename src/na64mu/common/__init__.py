"""Tools that every other folder may use: objects with a printed form, models that are read from TOML."""
