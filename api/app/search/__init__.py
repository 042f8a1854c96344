"""Search: a question is read, candidates are gathered and ranked in one statement."""
