"""What a sweep keeps on disk: its paths, the records of its runs, where its code comes from."""
