"""A domain: which ticket a service desk answers next, and how many agents are on duty when."""
