"""HTTP: the endpoints, the pages, and what surrounds every request."""
