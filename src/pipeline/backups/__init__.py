"""Backups: everything an installation must keep, of one moment, taken while it runs and put back elsewhere."""
