"""dedup where users of other libraries look for it. Each module needs its library and is imported by name."""
