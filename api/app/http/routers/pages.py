"""The pages for people: search, a trace, a category, a tag. Rendered here; scripts only help."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from fastapi import APIRouter, FastAPI, HTTPException, Request
from fastapi.responses import HTMLResponse, PlainTextResponse, Response
from fastapi.staticfiles import StaticFiles
from fastapi.templating import Jinja2Templates

from app.http.middleware import HtmlHeaders
from app.http.preview import Preview
from app.http.rendering import highlight_css, render_markdown
from app.inputs import Name, Question
from app.search.service import SearchResult
from app.service import Service
from app.services import traces

FOLDER = Path(__file__).parents[1]
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
SHOWN_RESULTS = 20

router = APIRouter(default_response_class=HTMLResponse, include_in_schema=False)
templates = Jinja2Templates(FOLDER / "templates")
templates.env.filters["markdown"] = render_markdown


def add_pages(app: FastAPI, preview: Preview | None) -> None:
    """Add the pages to the service; with a preview they show seeds as they are on disk."""
    app.state.preview = preview
    app.include_router(router)
    app.mount("/static", StaticFiles(directory=FOLDER / "static"))

    app.add_middleware(HtmlHeaders, headers=HEADERS)


@router.get("/")
async def search_page(request: Request, q: Question = "") -> Response:
    """Show the search page, with the results of `q`."""
    preview = await _fresh_preview(request)
    context = {
        "question": q,
        "results": await _search(request, q),
        "categories": await traces.list_categories(_service(request).engine),
        "tags": (await traces.list_tags(_service(request).engine))[:40],
        "problems": preview.problems() if preview else [],
    }
    return templates.TemplateResponse(request, "search.html", context)


@router.get("/results")
async def results(request: Request, q: Question = "") -> Response:
    """Show the results alone, for the script that searches as one types."""
    context = {"question": q, "results": await _search(request, q)}
    return templates.TemplateResponse(request, "results.html", context)


@router.get("/traces/{slug:path}")
async def trace_page(request: Request, slug: Name) -> Response:
    """Show one trace."""
    preview = await _fresh_preview(request)
    trace = await traces.get_trace_by_slug(_service(request).engine, slug)
    problems = preview.problems_of(slug) if preview else []
    if trace is None and not problems:
        raise HTTPException(404, f"there is no trace {slug}")
    context = {
        "slug": slug,
        "trace": trace,
        "proof": preview.proof_of(slug) if preview else None,
        "problems": problems,
    }
    return templates.TemplateResponse(request, "trace.html", context)


@router.get("/categories/{category}")
async def category_page(request: Request, category: Name) -> Response:
    """List the traces of a category."""
    found = await traces.list_by_category(_service(request).engine, category)
    return _listing(request, category, found)


@router.get("/tags/{tag}")
async def tag_page(request: Request, tag: Name) -> Response:
    """List the traces that have a tag."""
    found = await traces.list_by_tag(_service(request).engine, tag)
    return _listing(request, tag, found)


@router.get("/static/highlight.css")
async def highlight_style() -> Response:
    """Give the colours of code."""
    return PlainTextResponse(highlight_css(), media_type="text/css")


def _listing(request: Request, name: str, found: Sequence[traces.TraceLink]) -> Response:
    if not found:
        raise HTTPException(404, f"no trace in {name}")
    return templates.TemplateResponse(request, "listing.html", {"name": name, "traces": found})


def _service(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


async def _search(request: Request, question: str) -> Sequence[SearchResult]:
    if not question.strip():
        return []
    return (await _service(request).search.search(question, limit=SHOWN_RESULTS)).results


async def _fresh_preview(request: Request) -> Preview | None:
    preview: Preview | None = request.app.state.preview
    if preview:
        await preview.refresh()
    return preview
