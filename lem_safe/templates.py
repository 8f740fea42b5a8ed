"""A page from its template: one environment for all pages, which escapes values and refuses
undefined names.
"""

from importlib.resources import files
from typing import Any


def rendered(template: str, package: str = "lem_safe.report", **values: Any) -> str:
    """The text of a template of `package` with these values and the common style sheet, `css`. A template may
    include others of its package.
    """
    from jinja2 import Environment, FunctionLoader, StrictUndefined

    environment = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        loader=FunctionLoader(lambda name: (files(package) / name).read_text(encoding="utf-8")),
    )
    trusted = environment.filters["safe"]
    return environment.get_template(template).render(css=trusted(css()), **values)


def css() -> str:
    """The style sheet of every page."""
    return (files("lem_safe.report") / "page.css").read_text(encoding="utf-8")
