from tests.ledger.fixtures import file_ledger, ledger, server, url

__all__ = ["file_ledger", "ledger", "server", "url"]
