"""Read-only links of the Web UI: those of the API, and the page's own view of a report behind one.

The token stands behind the `#` of the link and travels in a header of its own, so that neither
logs nor a `Referer` ever hold it.
"""

from __future__ import annotations

from fastapi.responses import Response

from leadline.ports.access import Action
from leadline.service.deps import ServicesDep
from leadline.service.held_shapes import ShareMade, ShareShown
from leadline.service.routes.shares import (
    SharedDep,
    close_share,
    make_share,
    shared_report,
    shared_source,
    shares,
)
from leadline.service.routes.ui import Language, shown_report
from leadline.service.routing import Routes


def routes() -> Routes:
    """Return the routes."""
    made = Routes("/ui", tag="ui")
    path, action = "/runs/{run_id}/shares", Action.RUNS_SHARE
    made.add("POST", path, make_share, action=action, status=201, model=ShareMade, shown=False)
    made.add("GET", path, shares, action=action, model=list[ShareShown], shown=False)
    made.add("DELETE", "/shares/{share_id}", close_share, action=action, model=ShareShown, shown=False)
    made.add("GET", "/shared/view", shared_view, action=None, shown=False)
    made.add("GET", "/shared/report", shared_report, action=None, shown=False)
    made.add("GET", "/shared/sources/{source_id}", shared_source, action=None, shown=False)
    return made


async def shared_view(run: SharedDep, services: ServicesDep, lang: Language = "en") -> Response:
    """Get the report behind a link."""
    return await shown_report(services, run, lang)
