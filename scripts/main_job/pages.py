"""HTML pages from the templates beside this file: everything that is inserted is escaped."""

from __future__ import annotations

import base64
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from scripts.main_job.show import grouped
from tael.reporting import style_sheet
from tael.reporting.cells import in_pieces

FOLDER = Path(__file__).resolve().parent / "templates"


def render(template: str, **values: object) -> str:
    """Fill a template.

    Args:
        template: Its file name.
        values: What it uses; a name that it uses and is not given fails.
    """
    pages = Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    pages.filters["shown"] = shown
    pages.globals["short_hash"] = short_hash
    style = Markup(style_sheet())  # noqa: S704 - our own file
    return pages.get_template(template).render(style=style, **values)


def shown(value: object) -> Markup:
    """Anything as text: amounts with their thousands apart, long words in pieces."""
    return Markup(in_pieces(grouped(value)))  # noqa: S704 - escapes it


def code(text: str) -> Markup:
    """A name as programs write it."""
    return Markup("<code>{}</code>").format(shown(text))


def short_hash(value: str | None, *, whole_on_paper: bool = False) -> Markup:
    """A hash without its middle, which a pointer shows; nothing if there is none.

    Args:
        value: 0x and 64 digits.
        whole_on_paper: Whether paper, which no pointer reaches, has all of it.
    """
    if value is None:
        return Markup("")
    short = Markup('<span class="hash{}" title="{}">{}…{}</span>').format(
        " on-screen" if whole_on_paper else "", value, value[:8], value[-6:]
    )
    whole = Markup('<span class="hash on-paper">{}</span>').format(shown(value))
    return short + whole if whole_on_paper else short


def embed(picture: Path) -> str:
    """A PNG file as a data address, so that the page stands alone."""
    return "data:image/png;base64," + base64.b64encode(picture.read_bytes()).decode()
