"""Render the report's own Markdown as HTML; anything else in it stays plain text."""

from functools import cache
from typing import Any

OFF = (  # Markdown that the report never uses, but that a name of the user could look like
    "html_block", "html_inline", "image", "link", "reference", "entity", "heading", "lheading",
    "hr", "blockquote", "code",
)  # fmt: skip


def rendered(text: str) -> str:
    r"""Render a part of a report as HTML; HTML, images and links in the text are escaped.

    Tables are put into a scrollable box, and their header cells get a `scope`.

    Example:
        >>> rendered("**a** `b` <i>")
        '<p><strong>a</strong> <code>b</code> &lt;i&gt;</p>\n'
    """
    parser = _parser()
    tokens = parser.parse(text)
    _head_rows(tokens)
    return parser.renderer.render(tokens, parser.options, {})


@cache
def _parser() -> Any:
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark", {"html": False}).enable("table").disable(list(OFF))
    box = '<div class="scroll" tabindex="0" role="region" aria-label="table">'
    parser.add_render_rule("table_open", lambda *_: f"{box}<table>\n")
    parser.add_render_rule("table_close", lambda *_: "</table></div>\n")
    return parser


def _head_rows(tokens: list[Any]) -> None:
    """Make the first cell of each row its header; align by class, since CSP may forbid styles."""
    first = False
    for token in tokens:
        style = token.attrs.pop("style", "")
        if "right" in str(style):
            token.attrs["class"] = "right"
        if token.type == "th_open":
            token.attrs["scope"] = "col"
        elif token.type == "tr_open":
            first = True
        elif token.type in ("td_open", "td_close") and first:
            token.tag = "th"
            if token.type == "td_open":
                token.attrs["scope"] = "row"
            else:
                first = False
