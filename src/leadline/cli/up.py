"""`leadline up`, `down`, `stop`, `start`, `status`, `logs`: the whole production topology on this machine."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from leadline.cli.held import table
from leadline.cli.options import common
from leadline.cli.session import on_loop, settings_of
from leadline.cli.shell import Shell, line_of, pass_shell, write
from leadline.cli.story import plural
from leadline.errors import Unhealthy, UnknownObject

if TYPE_CHECKING:
    from leadline.ops.topology.home import Home, Plan
    from leadline.ops.topology.report import PartReport
    from leadline.ops.topology.state import State

_LOOK: Final = 0.3
_NUMBERED: Final = re.compile(r"-\d+$")
_QUESTION: Final = "Who wrote the first program for a machine?"


@click.command(
    epilog="""\b
Examples:
  leadline up
  leadline up --port 9443 --workers 4
  leadline up --alerts-to http://127.0.0.1:9099/alerts
  leadline status && leadline logs worker-1 && leadline down
"""
)
@click.option("--port", type=click.IntRange(1, 65_535), help="Port of HTTPS.  [default: as before, at first 8443]")
@click.option(
    "--inner-ports",
    type=click.IntRange(1, 65_500),
    metavar="FIRST",
    help="First of the ports of all other parts.  [default: as before, at first free ones]",
)
@click.option("--services", type=click.IntRange(1, 16), help="Services behind the balancer.  [default: 2]")
@click.option("--workers", type=click.IntRange(1, 64), help="Workers.  [default: 2]")
@click.option("--alerts-to", metavar="URL", help="A webhook that Alertmanager tells of alerts.")
@click.option(
    "--runbooks",
    metavar="URL",
    help="Where runbooks answer for those who are told of alerts.  [default: /runbooks at the balancer]",
)
@click.option(
    "--watch-every",
    type=click.FloatRange(1, 300),
    metavar="SECONDS",
    help="Between two looks of Prometheus; alerts wait in proportion.  [default: 15]",
)
@click.option("--gateway/--no-gateway", default=None, help="Whether a gateway stands before the model servers.")
@click.option("--foreground", is_flag=True, help="Stay, and end everything with Ctrl-C.")
@click.option("--step", type=click.Choice(("supervise", "first-key")), hidden=True)
@common
@pass_shell
def up(
    shell: Shell,
    *,
    port: int | None,
    inner_ports: int | None,
    services: int | None,
    workers: int | None,
    alerts_to: str | None,
    runbooks: str | None,
    watch_every: float | None,
    gateway: bool | None,
    foreground: bool,
    step: str | None,
) -> None:
    """Start the whole of it on this machine: balancer, services, workers, tools, stores, monitoring.

    From servers that are installed, each supervised and started again where it ends. All listen on
    loopback; everything lies in the folder `up` of the data folder (root: /var/lib/leadline). The first
    start makes secrets, certificates, a database, a tenant and the key of its admin, which is shown once.
    """
    if step is not None:
        _step(shell, step)
        return
    from leadline.ops.topology.home import Home, Wish  # noqa: PLC0415 only where it is asked for
    from leadline.ops.topology.launch import supervise  # noqa: PLC0415 as above
    from leadline.ops.topology.prepare import prepare  # noqa: PLC0415 as above
    from leadline.ops.topology.state import State, end_leftovers, is_held, leftovers  # noqa: PLC0415 as above

    settings = settings_of(shell)
    home = Home.of(settings)
    if is_held(home.lock):
        _is_up(shell, home)
        return
    old = State.read(home.state)
    left = [] if old is None else leftovers(old)
    if left:
        shell.say(f"ends {plural(len(left), 'part')} that a supervisor left behind")
        end_leftovers(left, seconds=30.0)
    wish = Wish(
        port=port,
        inner_ports=inner_ports,
        services=services,
        workers=workers,
        alerts_to=alerts_to,
        runbooks=runbooks,
        gateway=gateway,
        watch_every=watch_every,
    )
    topology = prepare(settings, wish, config=shell.config, say=shell.say)
    for part, why in topology.plan.left_out.items():
        shell.say(f"without {part}: {why}")
    if foreground:
        supervise(topology, tell=lambda told: _addresses(shell, home, topology.plan) if told.up else None)
        return
    _launch(shell, home)
    _addresses(shell, home, topology.plan)


def _step(shell: Shell, step: str) -> None:
    """Do what the command starts as processes of their own."""
    from leadline.ops.topology.first_key import make_first_key  # noqa: PLC0415 only where it is asked for
    from leadline.ops.topology.launch import supervise, to_caller  # noqa: PLC0415 as above
    from leadline.ops.topology.prepare import prepared  # noqa: PLC0415 as above

    settings = settings_of(shell)
    if step == "first-key":
        write(on_loop(make_first_key(settings)))
    else:
        supervise(prepared(settings, config=shell.config), tell=to_caller)


def _launch(shell: Shell, home: Home) -> None:
    """Start a supervisor, and tell how the parts come up until all have."""
    from leadline.ops.topology.launch import launched  # noqa: PLC0415 only where it is asked for
    from leadline.ops.topology.state import PartState  # noqa: PLC0415 as above

    words = ["up", "--step", "supervise"]
    words += ["--config", str(shell.config.absolute())] if shell.config is not None else []
    words += ["--data-dir", str(home.folder.parent)] if "data_dir" in shell.flags else []
    with launched(home, words) as lines:
        for told in lines:
            if told.state in {PartState.READY, PartState.DONE, PartState.FAILED}:
                shell.say(f"{told.part}: {told.state}")


def _is_up(shell: Shell, home: Home) -> None:
    """Say that it is there already; nothing is changed."""
    from leadline.ops.topology.home import Plan  # noqa: PLC0415 only where it is asked for
    from leadline.ops.topology.state import Phase, State  # noqa: PLC0415 as above

    state = State.read(home.state)
    if state is None or state.phase is not Phase.UP:
        doing = "starting" if state is None or state.phase is Phase.STARTING else "being ended"
        shell.say(f"it is {doing} at this moment; see: leadline status")
        return
    shell.say("it is up already; to start it otherwise, end it first: leadline down")
    _addresses(shell, home, Plan.read(home.plan))


def _addresses(shell: Shell, home: Home, plan: Plan) -> None:
    """Print where everything is, and the first key where nobody has seen it."""
    from leadline.ops.topology.first_key import take_first_key  # noqa: PLC0415 only where it is asked for

    url = f"https://localhost:{plan.port}"
    ca = home.tls / "ca.pem"
    rows: list[tuple[str, ...]] = [("url", url), ("certificate", str(ca))]
    rows += [
        (name, f"http://127.0.0.1:{plan.ports[name]}") for name in ("prometheus", "alertmanager") if name in plan.ports
    ]
    rows += [("settings", str(home.environment)), ("logs", str(home.logs))]
    key = take_first_key(home)
    if key is not None:
        rows.insert(1, ("key", key))
        shell.say("the key of tenant main's admin is shown this once")
    write(table(rows))
    shown = key or "KEY"
    write(f'SSL_CERT_FILE={ca} LEADLINE_SERVER__KEY={shown} leadline ask --server {url} --web "{_QUESTION}"')


@click.command(epilog="\b\nExample:\n  leadline down\n")
@common
@pass_shell
def down(shell: Shell) -> None:
    """End what `leadline up` started: the balancer first, the stores last.

    Workers hand back the runs that they hold, which go on with the next start. All data stays.
    """
    from leadline.ops.topology.home import Home  # noqa: PLC0415 only where it is asked for
    from leadline.ops.topology.launch import end  # noqa: PLC0415 as above
    from leadline.ops.topology.state import PartState  # noqa: PLC0415 as above

    gone: set[str] = set()

    def each(state: State) -> None:
        for part in state.parts:
            if part.state is PartState.STOPPED and part.name not in gone:
                gone.add(part.name)
                shell.say(f"{part.name}: stopped")

    ended = end(Home.of(settings_of(shell)), each=each)
    shell.say("all parts have ended" if ended else "nothing was up")


@click.command(
    epilog="""\b
Examples:
  leadline stop worker-2
  leadline stop tool-search tool-visit && leadline status
"""
)
@click.argument("parts", metavar="PART...", nargs=-1, required=True)
@common
@pass_shell
def stop(shell: Shell, *, parts: tuple[str, ...]) -> None:
    """End parts of what `leadline up` started, and keep them down.

    Until `leadline start`, or until all is ended. The other parts go on and do without: workers hand
    back the runs that they hold.
    """
    _change(shell, parts, down=True)


@click.command(
    epilog="""\b
Examples:
  leadline start worker-2
"""
)
@click.argument("parts", metavar="PART...", nargs=-1, required=True)
@common
@pass_shell
def start(shell: Shell, *, parts: tuple[str, ...]) -> None:
    """Start parts again that `leadline stop` ended, and wait until they answer."""
    _change(shell, parts, down=False)


def _change(shell: Shell, parts: tuple[str, ...], *, down: bool) -> None:
    from leadline.ops.topology.holds import change  # noqa: PLC0415 only where it is asked for
    from leadline.ops.topology.home import Home  # noqa: PLC0415 as above

    change(Home.of(settings_of(shell)), parts, down=down)
    for part in parts:
        shell.say(f"{part}: {'stopped' if down else 'ready'}")


@click.command(
    epilog="""\b
Examples:
  leadline status
  leadline status --json
"""
)
@click.option("--json", "as_json", is_flag=True, help="As one JSON object.")
@common
@pass_shell
def status(shell: Shell, *, as_json: bool) -> None:
    """Print how each part of `leadline up` does.

    Exits with 13 where one does not answer, and where nothing is up.
    """
    from leadline.ops.topology.home import Home, Plan  # noqa: PLC0415 only where it is asked for
    from leadline.ops.topology.report import report_of  # noqa: PLC0415 as above

    home = Home.of(settings_of(shell))
    report = report_of(home, Plan.read(home.plan))
    if as_json:
        write(line_of(report.json()))
    else:
        write(f"{report.phase}" + (f": {report.detail}" if report.detail else ""))
        if report.parts:
            write(table([_row(part) for part in report.parts]))
        for part, why in report.left_out.items():
            write(f"without {part}: {why}")
    if not report.well:
        raise click.exceptions.Exit(Unhealthy.exit_code)


def _row(part: PartReport) -> tuple[str, ...]:
    pid = "-" if part.pid is None else str(part.pid)
    uptime = "-" if part.uptime is None else lasting(part.uptime)
    told = part.detail if part.state.value not in {"ready", "done"} else ""
    return part.name, part.state.value, pid, uptime, plural(part.restarts, "restart"), part.address or "-", told


def lasting(seconds: float) -> str:
    """Return a time as people say it: the two largest units of it."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days} d {hours} h"
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


@click.command(
    epilog="""\b
Examples:
  leadline logs
  leadline logs worker-1 --lines 100
  leadline logs worker
  leadline logs nginx --follow
"""
)
@click.argument("part", required=False)
@click.option(
    "--lines", "-n", type=click.IntRange(0, 100_000), default=20, show_default=True, help="How many of the last."
)
@click.option("--follow", "-f", is_flag=True, help="Go on with what is written from now on, until Ctrl-C.")
@common
@pass_shell
def logs(shell: Shell, *, part: str | None, lines: int, follow: bool) -> None:
    """Print the last lines of PART's log; `worker` means all workers, no PART all parts and the supervisor."""
    from leadline.ops.topology.home import Home  # noqa: PLC0415 only where it is asked for
    from leadline.ops.topology.logs import Followed, last_lines  # noqa: PLC0415 as above

    found = sorted(Home.of(settings_of(shell)).logs.glob("*.log"))
    chosen = [path for path in found if part in {None, path.stem, _NUMBERED.sub("", path.stem)}]
    if not chosen:
        known = ", ".join(path.stem for path in found) or "none: nothing was up yet"
        raise UnknownObject(f"no log of {part or 'any part'}; there are {known}")
    several = part is None or len(chosen) > 1
    followed = [(path if several else None, Followed(path)) for path in chosen]
    for path in chosen:
        _print(last_lines(path, lines), of=path if several else None)
    with suppress(KeyboardInterrupt):
        while follow:
            time.sleep(_LOOK)
            for of, one in followed:
                _print(one.new_lines(), of=of)


def _print(lines: Iterable[str], *, of: Path | None) -> None:
    """Print lines, each after the name of the part whose log it is where several are shown."""
    for line in lines:
        write(line if of is None else f"{of.stem}: {line}")
