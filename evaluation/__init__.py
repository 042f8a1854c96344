"""How often search finds the right trace first: questions, rivals, figures (`make eval`)."""
