"""Tables of results: of one run beside published ones, and of runs side by side."""
