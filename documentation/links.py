"""Dead links of a built site: a `href` or `src` within it leads to a file, and to a place in that file."""

from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

SERVED_ANYWHERE = "404.html"
"""Its links begin at the root of the server, which these pages need not be."""


class _Seen(HTMLParser):
    """The links of one page, and the places in it that a link can name."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.places: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name in ("href", "src") and value is not None and tag != "use":
                self.links.append(value)
            if name == "id" or (name == "name" and tag == "a"):
                self.places.add(value or "")


@cache
def _seen(page: Path) -> _Seen:
    seen = _Seen()
    seen.feed(page.read_text(encoding="utf-8"))
    return seen


def dead_links(site: Path) -> list[str]:
    """One line for each link that leads nowhere, or out of the site's folder; sorted."""
    site = site.resolve()
    _seen.cache_clear()
    found = [
        f"{page.relative_to(site)}: {link}: {fault}"
        for page in sorted(site.rglob("*.html"))
        if page.name != SERVED_ANYWHERE
        for link in dict.fromkeys(_seen(page).links)
        if (fault := _fault(page, link, site))
    ]
    return sorted(found)


def _fault(page: Path, link: str, site: Path) -> str | None:
    parts = urlsplit(link)
    if parts.scheme or parts.netloc:
        return "names a file of this machine" if parts.scheme == "file" else None
    target = (page.parent / unquote(parts.path)).resolve() if parts.path else page
    if target.is_dir():
        target = target / "index.html"
    if not target.is_relative_to(site):
        return "leads out of the site"
    if not target.is_file():
        return "there is no such file"
    if parts.fragment and target.suffix == ".html":
        here = unquote(parts.fragment)
        if here not in _seen(target).places:
            return "there is no such place in that page"
    return None
