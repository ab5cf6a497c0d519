from tests.ledger.fixtures import file_ledger, ledger, url

__all__ = ["file_ledger", "ledger", "url"]
