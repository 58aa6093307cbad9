"""Specifications: the sections of a YAML file, how they are read, the space that they search."""
