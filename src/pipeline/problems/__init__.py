"""The protocol by which a domain is adapted to the loop, and how a charter's problem is found."""
