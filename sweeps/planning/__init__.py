"""Plans: what a sweep will cost, and which claims it can decide."""
