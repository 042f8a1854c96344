"""Markdown of a trace to safe HTML, with highlighted code, file names and copy buttons."""

from __future__ import annotations

from functools import cache
from html import escape
from typing import TYPE_CHECKING

from app.markdown import read_info

if TYPE_CHECKING:
    from collections.abc import MutableMapping, Sequence
    from typing import Any

    from markdown_it import MarkdownIt
    from markdown_it.renderer import RendererHTML
    from markdown_it.token import Token
    from markdown_it.utils import OptionsDict

LEXERS = {"sh": "bash", "cjs": "js", "mjs": "js", "dockerfile": "docker", "env": "ini"}
"""Where Pygments calls a language otherwise than seeds do."""

ATTRIBUTES = {
    "a": {"href", "title"},
    "ol": {"start"},
    **{tag: {"class"} for tag in ("div", "span", "pre", "code", "figure", "figcaption")},
    "button": {"class", "type"},
}
TAGS = {
    *("p", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "li", "blockquote", "hr", "br"),
    *("strong", "em", "code", "pre", "a", "table", "thead", "tbody", "tr", "th", "td"),
    *("div", "span", "figure", "figcaption", "button"),
}


def render_markdown(markdown: str) -> str:
    """Return HTML that holds no script, style, image or raw HTML of the text's own."""
    import nh3

    html = _renderer().render(markdown)
    return nh3.clean(
        html, tags=TAGS, attributes=ATTRIBUTES, url_schemes={"https", "http", "mailto"}
    )


def highlight_css() -> str:
    """Return the style sheet of highlighted code, for light and dark."""
    from pygments.formatters import HtmlFormatter

    def style(name: str) -> str:
        css: str = HtmlFormatter(style=name).get_style_defs(".highlight")  # type: ignore[no-untyped-call]
        return css

    light, dark = style("friendly"), style("github-dark")
    return f"{light}\n@media (prefers-color-scheme: dark) {{\n{dark}\n}}\n"


@cache
def _renderer() -> MarkdownIt:
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark", {"html": False}).enable("table")
    parser.add_render_rule("fence", _render_fence)
    return parser


def _render_fence(
    _renderer: RendererHTML,
    tokens: Sequence[Token],
    index: int,
    _options: OptionsDict,
    _environment: MutableMapping[str, Any],
) -> str:
    """Render a block of code as a figure: its file name, a copy button, the code."""
    token = tokens[index]
    info = read_info(token.info)
    title = info.options.get("title", info.language)
    return (
        f'<figure class="code"><figcaption><span>{escape(title)}</span>'
        '<button type="button" class="copy">Copy</button></figcaption>'
        f"{_highlight(token.content, info.language)}</figure>\n"
    )


def _highlight(code: str, language: str) -> str:
    from pygments import highlight
    from pygments.formatters import HtmlFormatter
    from pygments.lexers import TextLexer, get_lexer_by_name
    from pygments.util import ClassNotFound

    try:
        lexer = get_lexer_by_name(LEXERS.get(language, language))
    except ClassNotFound:
        lexer = TextLexer()
    html: str = highlight(code, lexer, HtmlFormatter())
    return html
