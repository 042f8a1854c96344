"""What turns content into a loaded database, and proves it."""
