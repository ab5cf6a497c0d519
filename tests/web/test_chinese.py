"""Every page in Chinese, read to the end: what is left in English is a name, a code, or somebody's own words."""

import re

#: Two words of Latin letters one after the other, at least one of which is English and no name.
_RUN = re.compile(r"[A-Za-z][A-Za-z'’-]*(?:[ ,:]+[A-Za-z][A-Za-z'’-]*)+")
