"""The replenishment domain: how many units of each product every store orders, as a problem of the loop."""
