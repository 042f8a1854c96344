"""The service: settings, tables, search over HTTP, and the embedding worker."""
