"""HTML pages from the templates beside this file: everything that is inserted is escaped."""

from __future__ import annotations

import base64
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from scripts.main_job.show import grouped
from tael import qr

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
    pages.filters["visible"] = qr.escape
    pages.filters["thousands"] = "{:,}".format
    pages.filters["grouped"] = grouped
    return pages.get_template(template).render(**values)


def embed(picture: Path) -> str:
    """A PNG file as a data address, so that the page stands alone."""
    return "data:image/png;base64," + base64.b64encode(picture.read_bytes()).decode()
