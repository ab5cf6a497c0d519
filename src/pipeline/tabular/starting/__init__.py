"""Starting a project on a table: what its columns look like, its contract, and the folder that is written."""
