"""What can be left out of a file: its statements, language by language."""
