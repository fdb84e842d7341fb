"""Feature pictures of several encoders as one interactive HTML file."""
