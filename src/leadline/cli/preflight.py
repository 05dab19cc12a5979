"""`leadline preflight`: the list before production."""

from __future__ import annotations

import getpass
import sys
from datetime import UTC, datetime

import click

from leadline import codec
from leadline.cli.options import common, setting_option
from leadline.cli.session import on_loop, quiet_log, settings_of
from leadline.cli.shell import Shell, pass_shell, write
from leadline.errors import InputError, Unhealthy
from leadline.resilience import SystemClock
from leadline.settings import Settings


@click.command(
    epilog="""\b
Examples:
  leadline preflight --url https://research.example.org --prometheus http://127.0.0.1:9090
  leadline preflight --alertmanager http://127.0.0.1:9093 --try-alert --paid
  leadline preflight --ask
  leadline preflight --json | jq '.items[] | select(.must and .state == "missing")'
"""
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option("--ask", is_flag=True, help="Ask you what only you know, and keep the answers with your name and day.")
@click.option("--paid", is_flag=True, help="Ask also what costs money: searches by key, answers of priced models.")
@click.option("--try-alert", is_flag=True, help="Send an alert through Alertmanager and see it delivered.")
@setting_option("--url", "preflight.url", metavar="URL", help="The service as its users reach it.")
@setting_option("--ca", "preflight.ca", metavar="FILE", help="Authorities that the service's certificate may be of.")
@setting_option("--prometheus", "preflight.prometheus", metavar="URL", help="Address of Prometheus.")
@setting_option("--alertmanager", "preflight.alertmanager", metavar="URL", help="Address of Alertmanager.")
@setting_option("--grafana", "preflight.grafana", metavar="URL", help="Address of Grafana.")
@setting_option("--access-log", "preflight.access_log", metavar="FILE", help="The balancer's access log.")
@common
@pass_shell
def preflight(shell: Shell, *, as_json: bool, ask: bool, paid: bool, try_alert: bool) -> None:
    """Go through the list before going into production, by code where it can be.

    Asks the service as its users do (TLS, keys, limits), Prometheus and Alertmanager what they know,
    and `leadline doctor` for the rest; `--ask` has you answer what no program can see. Exits with 13
    while a must is missing. `[x]` is done, `[-]` is not needed here.
    """
    quiet_log(debug=shell.debug)
    from leadline.ops import preflight as ops  # noqa: PLC0415 the whole platform: only where it is looked at
    from leadline.ops.doctor import Look  # noqa: PLC0415 as above
    from leadline.wiring.redaction import cleaned, redaction_of  # noqa: PLC0415 as above

    settings = settings_of(shell)
    if ask:
        _ask(shell, settings)
    answers = ops.load_answers(ops.answers_file(settings))
    found = on_loop(ops.preflight(Look(settings=settings, paid=paid), answers=answers, try_alert=try_alert))
    clean = redaction_of(settings)
    write(codec.encode(cleaned(found.body(), clean)).decode() if as_json else clean(found.text()))
    if found.keeps:
        raise Unhealthy(f"{len(found.keeps)} musts are missing: {', '.join(found.keeps)}")


def _ask(shell: Shell, settings: Settings) -> None:
    """Ask at the terminal, and keep the answers."""
    from leadline.ops import preflight as ops  # noqa: PLC0415 as above

    if not sys.stdin.isatty():
        raise InputError("`--ask` needs a terminal; elsewhere write the answers into a file: `preflight.answers`")
    path = ops.answers_file(settings)
    answers = dict(ops.load_answers(path))
    today = datetime.fromtimestamp(SystemClock().now(), UTC).date().isoformat()
    for item in ops.ITEMS:
        if item.look is None:
            yes = click.confirm(f"{item.section}: {item.text}", default=False, err=True)
            answers[item.id] = ops.Answer(yes=yes, by=getpass.getuser(), on=today)
    ops.save_answers(path, answers)
    shell.say(f"kept in {path}")
