"""Training rows: what a teacher is asked, how its answers are read, and where rows are kept."""
