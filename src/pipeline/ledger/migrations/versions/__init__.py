"""The steps from version to version, oldest first."""
