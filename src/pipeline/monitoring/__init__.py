"""Monitoring: what newest data says of a running project, and when that asks for another iteration."""
