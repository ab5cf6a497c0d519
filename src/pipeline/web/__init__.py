"""The review site, where people read the evidence and decide: pages rendered on the server, and a small JSON API.

Pages read the ledger and the evidence packs, never MLflow and never Prefect. What may be decided by whom is
:mod:`pipeline.review`'s to say; who somebody is, :mod:`pipeline.accounts`'s.
"""
