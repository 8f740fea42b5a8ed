"""A page from its template: one environment for all pages, which escapes values and refuses
undefined names.
"""

from importlib.resources import files
from typing import Any

from lem_safe.escaping import in_lines


def rendered(template: str, package: str = "lem_safe.report", **values: Any) -> str:
    """The text of a template of `package` with these values and the common style sheet, `css`. A template may
    include others of its package.
    """
    from jinja2 import Environment, FunctionLoader, StrictUndefined

    environment = Environment(
        autoescape=True,
        finalize=_legible,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        loader=FunctionLoader(lambda name: (files(package) / name).read_text(encoding="utf-8")),
    )
    trusted = environment.filters["safe"]
    return environment.get_template(template).render(css=trusted(css()), **values)


def _legible(value: Any) -> Any:
    """Text without what is not seen; what is marked as safe is the program's own."""
    return in_lines(value) if isinstance(value, str) and not hasattr(value, "__html__") else value


def css() -> str:
    """The style sheet of every page."""
    return (files("lem_safe.report") / "page.css").read_text(encoding="utf-8")
