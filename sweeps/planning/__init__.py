"""Plans: what a sweep will cost, and with which power it can decide its claims."""
