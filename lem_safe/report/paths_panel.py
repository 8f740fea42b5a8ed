"""The panel of samples that are paths."""

from lem_safe.report.contents import Contents
from lem_safe.report.panel import Panel, laws
from lem_safe.report.paths import MOST, draws_of, shape_of


def paths(contents: Contents) -> Panel | None:
    """Before and after, as lines; None where rows are no paths of two coordinates or more."""
    d = contents.x.shape[1]
    shape = None if contents.coded else shape_of(contents.scenario, contents.regions, d)
    if shape is None or shape[-1] < 2:
        return None
    clouds = laws(contents)
    sets = {c["set"]: contents.regions[c["set"]] for c in contents.audit["constraints"]}
    held = {name: 100 * contents.inside_any(x).mean() for name, x in clouds.items()}
    titles = {
        name: name if contents.thinned else f"{name}: {share:.3g} % inside" for name, share in held.items()
    }
    plane = "" if shape[-1] == 2 else " The first two coordinates."
    caption = (
        f"At most {MOST} paths of each, a dot at their start. Shaded: what no path may enter. Red: "
        f"paths inside a region, thick where they meet what is shaded.{plane}"
    )
    return Panel("paths", "The paths", caption, draws_of(clouds, shape, sets, titles))
