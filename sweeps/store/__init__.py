"""Who writes results, and when: a sweep's paths and lock, its runs' rows, reuse and export."""
