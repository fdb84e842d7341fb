"""From counts to a report, and from reports to a table beside the published numbers."""
