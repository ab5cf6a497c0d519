"""The least a page costs with the site's own parts: FastAPI, Jinja2, uvicorn, and nothing else.

``python bare.py PORT SIZE`` serves one page of about ``SIZE`` bytes: a fixed text with a table of thirty rows, whose
values are escaped. Nobody is asked who they are, and nothing is looked up.
"""

import sys

import uvicorn
from fastapi import FastAPI, Request
from fastapi.templating import Jinja2Templates
from jinja2 import DictLoader, Environment
from starlette.responses import Response

_ROWS = [{"name": f"Store {number}", "value": 1.5 * number, "words": "≤ 4.2 % in eight weeks"} for number in range(30)]
_TEMPLATE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>{{ title }}</title></head>
<body><header><a href="/">Bare</a> <span>{{ user }}</span></header><main><h1>{{ title }}</h1>
<table>{% for row in rows %}
<tr><th>{{ row.name }}</th><td>{{ row.value }}</td><td>{{ row.words }}</td></tr>{% endfor %}
</table>
"""
_FILLING = "<p>A paragraph – fixed in the template – as a page without any logic of its own would hold it.</p>\n"


def bare(size: int) -> FastAPI:
    """The application."""
    rows = sum(70 + len(row["name"]) for row in _ROWS)
    text = _TEMPLATE + _FILLING * max(0, (size - rows - len(_TEMPLATE)) // len(_FILLING.encode())) + "</main></body>"
    templates = Jinja2Templates(env=Environment(loader=DictLoader({"page": text}), autoescape=True))
    app = FastAPI()

    @app.get("/")
    async def page(request: Request) -> Response:
        return templates.TemplateResponse(request, "page", {"title": "Bare", "user": "Ana Ruiz", "rows": _ROWS})

    return app


if __name__ == "__main__":
    # As `landed review serve` starts the site.
    uvicorn.run(bare(int(sys.argv[2])), port=int(sys.argv[1]), log_level="warning", server_header=False)
