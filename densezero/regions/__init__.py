"""Regions for the region vote of ``densezero segment --regions``: masks in files, or masks that SAM 2 makes."""
