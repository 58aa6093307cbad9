"""The file format of results: its schema, its files, and how they are written and read."""
