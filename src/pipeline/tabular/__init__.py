"""A Problem from configuration alone: one table, a target, a decision per row, and what each decision is worth."""
