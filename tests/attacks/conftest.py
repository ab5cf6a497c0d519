from tests.audit.conftest import kept, made
from tests.web.conftest import drawn_once, install, pack, settings, site, styled_once

__all__ = ["drawn_once", "install", "kept", "made", "pack", "settings", "site", "styled_once"]
