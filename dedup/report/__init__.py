"""Showing results to people. Plain data in, lines or pages out; nothing here prints or reads the environment."""
