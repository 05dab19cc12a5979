"""Commands for schedules: `schedules add`, `list`, `pause`, `resume`, `remove`."""

from __future__ import annotations

import click

from leadline.cli.held import as_format, listed, moment, noted, of_tenant, operator, with_accounts
from leadline.cli.options import common, elsewhere
from leadline.cli.remote_held import schedule_of
from leadline.cli.remote_keys import served, with_service
from leadline.cli.shell import Shell, pass_shell, write
from leadline.domain import Json, StrategyName
from leadline.ports import MOST_PRIORITY
from leadline.ports.holdings import Schedule


@click.group(
    epilog="""\b
Examples:
  leadline schedules add "What changed in the cache?" --every "Monday 08:00" --zone Europe/Berlin
  leadline schedules add "Which papers are new?" --cron "0 8 1 * *" --web
  leadline schedules pause 3fd1c2b0a9e84d55
  leadline schedules list --server https://research.example.org
"""
)
def schedules() -> None:
    """Ask questions again and again.

    A worker or service must run when the time comes. After a downtime a schedule fires once, not
    for every time that passed.
    """


@schedules.command("add")
@click.argument("question")
@click.option("--every", metavar="WHEN", help="Such as `Monday 08:00`, `weekday 18:30`, `6 hours`.")
@click.option("--cron", metavar="FIELDS", help="The same as five fields of cron: `0 8 * * 1`.")
@click.option("--zone", default="UTC", show_default=True, help="Whose local time, such as Europe/Berlin.")
@click.option("--name", help="What people call it.  [default: the question]")
@click.option("--web", is_flag=True, help="The runs may search the open web.")
@click.option(
    "--corpus", "corpora", multiple=True, metavar="ID", help="A corpus to search; may be given several times."
)
@click.option("--strategy", type=click.Choice([s.value for s in StrategyName]), help="How evidence is gathered.")
@click.option(
    "--priority",
    type=click.IntRange(-MOST_PRIORITY, MOST_PRIORITY),
    default=0,
    show_default=True,
    help="Before or after other runs that wait; at a service, above 0 for operators alone.",
)
@of_tenant
@elsewhere
@common
@pass_shell
def add(
    shell: Shell,
    *,
    question: str,
    every: str | None,
    cron: str | None,
    zone: str,
    name: str | None,
    web: bool,
    corpora: tuple[str, ...],
    strategy: str | None,
    priority: int,
    tenant: str,
) -> None:
    """Add a schedule for QUESTION and print its id."""
    if (every is None) == (cron is None):
        raise click.UsageError("say when with either `--every` or `--cron`")
    when = cron if every is None else f"every {every.removeprefix('every ')}"
    options: dict[str, Json] = {"web": web, "corpora": list(corpora)}
    options |= {"strategy": strategy} if strategy is not None else {}
    options |= {"priority": priority} if priority else {}
    called = name or question[:80]
    if served(shell, tenant):
        asked = {**options, "corpora": corpora}
        made = schedule_of(
            with_service(
                shell, lambda client: client.schedules.add(question, when=when or "", zone=zone, name=called, **asked)
            )
        )
    else:
        made = noted(
            shell,
            lambda accounts: accounts.schedules.create(
                tenant,
                name=called,
                question=question,
                when=when or "",
                zone=zone,
                made_by=operator(),
                options=options,
            ),
            tenant=tenant,
            action="schedules:add",
            object=_id_of,
        )
    shell.say(f"first at {moment(made.next_at)}")
    write(made.id)


@schedules.command("list")
@of_tenant
@as_format
@elsewhere
@common
@pass_shell
def list_(shell: Shell, *, tenant: str, format_: str) -> None:
    """List a tenant's schedules."""
    if served(shell, tenant):
        found = [schedule_of(one) for one in with_service(shell, lambda client: client.schedules.list())]
    else:
        found = list(with_accounts(shell, lambda accounts: accounts.schedules.list(tenant)))
    listed(shell, found, format_, line=_line, none=f"tenant {tenant} has no schedules")


@schedules.command("pause")
@click.argument("schedule_id", metavar="SCHEDULE")
@of_tenant
@elsewhere
@common
@pass_shell
def pause(shell: Shell, *, schedule_id: str, tenant: str) -> None:
    """Let SCHEDULE rest."""
    _switch(shell, tenant, schedule_id, paused=True)


@schedules.command("resume")
@click.argument("schedule_id", metavar="SCHEDULE")
@of_tenant
@elsewhere
@common
@pass_shell
def resume(shell: Shell, *, schedule_id: str, tenant: str) -> None:
    """Go on with SCHEDULE, at its next time after now."""
    _switch(shell, tenant, schedule_id, paused=False)


@schedules.command("remove")
@click.argument("schedule_id", metavar="SCHEDULE")
@of_tenant
@elsewhere
@common
@pass_shell
def remove(shell: Shell, *, schedule_id: str, tenant: str) -> None:
    """Forget SCHEDULE; its runs stay."""
    if served(shell, tenant):
        with_service(shell, lambda client: client.schedules.remove(schedule_id))
    else:
        noted(
            shell,
            lambda accounts: accounts.schedules.delete(tenant, schedule_id),
            tenant=tenant,
            action="schedules:remove",
            object=schedule_id,
        )
    shell.say(f"schedule {schedule_id} is removed")


def _switch(shell: Shell, tenant: str, schedule_id: str, *, paused: bool) -> None:
    if served(shell, tenant):
        found = schedule_of(
            with_service(
                shell,
                lambda client: client.schedules.pause(schedule_id) if paused else client.schedules.resume(schedule_id),
            )
        )
    else:
        found = noted(
            shell,
            lambda accounts: accounts.schedules.pause(tenant, schedule_id, paused=paused),
            tenant=tenant,
            action="schedules:pause" if paused else "schedules:resume",
            object=schedule_id,
        )
    shell.say("paused" if found.next_at is None else f"next at {moment(found.next_at)}")


def _id_of(schedule: Schedule) -> str:
    return schedule.id


def _line(schedule: Schedule) -> tuple[str, ...]:
    paused = "paused" if schedule.reason is None else f"paused: {schedule.reason}"
    waits = "" if schedule.reason is None else f", not started yet: {schedule.reason}"
    following = paused if schedule.next_at is None else f"next {moment(schedule.next_at)}{waits}"
    return (
        schedule.id,
        following,
        f"last {moment(schedule.last_at)}",
        f"{schedule.when} ({schedule.zone})",
        schedule.name,
    )
