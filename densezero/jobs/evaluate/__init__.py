"""Benchmarks: the evaluation, its counts and processes, and the drawn report."""
