"""The import of the fixture into a target."""
