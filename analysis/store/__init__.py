"""The file format of results: schema, folders, reading and writing."""
