"""The view of a sweep for people: while it runs, and after."""
