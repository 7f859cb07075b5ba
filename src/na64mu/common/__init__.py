"""What every other folder may use: objects that show themselves, models that are read from TOML."""
