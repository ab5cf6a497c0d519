from tests.audit.conftest import kept, made
from tests.web.conftest import install, pack, settings, site

__all__ = ["install", "kept", "made", "pack", "settings", "site"]
