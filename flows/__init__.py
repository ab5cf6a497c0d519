"""The flows: the only room that imports Prefect."""
