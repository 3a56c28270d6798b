"""Getting the archives of the benchmarks: sources, downloads, unpacking."""
