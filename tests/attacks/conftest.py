from tests.audit.conftest import kept, made

__all__ = ["kept", "made"]
