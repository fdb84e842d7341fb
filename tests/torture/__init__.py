"""Runs under hostile conditions: odd files, kills at random moments, a full disk, mutated bytes."""
