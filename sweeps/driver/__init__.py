"""The driver: starts a sweep, goes on with it, spends its budget, ends it."""
