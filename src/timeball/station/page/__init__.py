"""The clock page in shared memory: its layout, its seqlock, who writes what, and the compiled loops that read it."""
