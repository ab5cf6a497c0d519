"""The controls a charter may ask for, each an automated check with a verdict."""
