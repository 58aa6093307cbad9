"""The writing of results: a sweep's paths and lock, the rows of its runs, reuse, export."""
