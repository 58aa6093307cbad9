"""What a person sees of a sweep, running or ended."""
