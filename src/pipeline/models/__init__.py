"""The record of training in MLflow, the registry, and the formats a model may be kept in."""
