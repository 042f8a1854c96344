"""A seed: read, judged, begun."""
