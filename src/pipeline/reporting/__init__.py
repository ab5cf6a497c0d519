"""The evidence pack of an iteration: a page for people, a twin for machines, one hash over both."""
