"""The least a page can cost: FastAPI and Jinja2 with nothing behind them, served as the review site is.

Run as a program with a port. The page has as many cards as the inbox it is compared with, and about as many bytes; the
handler is a plain function, as the site's are, so that both are answered from the same kind of thread.
"""

import sys

import uvicorn
from fastapi import FastAPI, Request
from fastapi.templating import Jinja2Templates
from jinja2 import DictLoader, Environment
from starlette.responses import Response

CARDS = 20

_BASE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>{% block title %}{% endblock %}</title>
<link rel="stylesheet" href="/static/site.css"></head>
<body><header class="top"><nav aria-label="Pages"><a href="/">Inbox</a><a href="/projects">Projects</a></nav></header>
<main id="main">{% block main %}{% endblock %}</main><footer><p>Nothing is kept.</p></footer></body></html>
"""
_PAGE = """{% extends "base.html" %}
{% block title %}Inbox{% endblock %}
{% block main %}<h1>{{ cards }} decisions wait for you</h1>
<ul class="cards">{% for number in range(cards) %}
<li class="card"><div class="card-main">
<h3><a href="/reviews/{{ number }}">Smart replenishment for stores</a></h3>
<p class="muted">Iteration {{ number }} · stage pilot</p><p class="due">Due <time>9 Nov 2026</time></p></div>
<dl class="facts">
<div><dt>Stock-out rate</dt><dd><span class="kpi"><strong>4.1 %</strong> <span>3.8 % – 4.5 %</span></span></dd></div>
<div><dt>Today's rule</dt><dd>6.2 %</dd></div><div><dt>Target</dt><dd>≤ 4.0 %</dd></div>
<div><dt>Signed</dt><dd>nobody yet</dd></div>
<div><dt>Missing</dt><dd><span class="who">Ana Ruiz <span class="muted">(sponsor)</span></span>
<span class="who">Maria Lind <span class="muted">(domain owner)</span></span></dd></div></dl>
<p class="action"><a class="button" href="/reviews/{{ number }}">Read and decide<span class="hidden">: Smart
replenishment for stores</span></a></p></li>{% endfor %}</ul>{% endblock %}
"""

app = FastAPI(openapi_url=None)
_templates = Jinja2Templates(env=Environment(loader=DictLoader({"base.html": _BASE, "page.html": _PAGE}), autoescape=True))


@app.get("/")
def page(request: Request) -> Response:
    """The page."""
    return _templates.TemplateResponse(request, "page.html", {"cards": CARDS})


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="warning", server_header=False)
