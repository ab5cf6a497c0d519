"""The site's own files, read once: a request's path is looked up among them and never reaches the file system."""

import hashlib
from functools import cache
from importlib.resources import files

from fastapi import APIRouter
from starlette.exceptions import HTTPException
from starlette.responses import Response

_KINDS = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}

router = APIRouter(include_in_schema=False)


@cache
def _assets() -> dict[str, tuple[bytes, str]]:
    """Content and media type by name."""
    found = {}
    for file in files("pipeline.web").joinpath("static").iterdir():
        kind = _KINDS.get(f".{file.name.rsplit('.', 1)[-1]}")
        if kind is not None:
            found[file.name] = (file.read_bytes(), kind)
    return found


@cache
def address_of(name: str) -> str:
    """The address of a file, with its hash, so that browsers may keep it and still see a newer one."""
    return f"/static/{name}?v={hashlib.sha256(_assets()[name][0]).hexdigest()[:12]}"


@router.get("/static/{name}")
def asset(name: str) -> Response:
    """One of the site's own files."""
    found = _assets().get(name)
    if found is None:
        raise HTTPException(404)
    content, kind = found
    return Response(content, media_type=kind, headers={"cache-control": "public, max-age=31536000, immutable"})
