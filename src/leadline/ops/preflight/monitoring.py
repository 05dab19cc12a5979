"""Items that Prometheus, Alertmanager and Grafana tell of."""

from __future__ import annotations

import asyncio
import re
from typing import Any, Final, NamedTuple

from leadline import codec
from leadline.errors import ServiceError, ServiceUnavailable
from leadline.ops.preflight.item import Ground, Standing, done, missing, not_needed
from leadline.settings import LOCAL
from leadline.wiring.probe_models import model_servers

RULES: Final = ("HighErrorRate", "HighLatency", "ToolCallFailures")
"""Alerts without which nobody hears of what users feel."""

DOWN: Final = "ModelServiceDown"
"""Needed beside them where model servers are one's own."""

GPU_SERIES: Final = "count(DCGM_FI_DEV_GPU_UTIL or nvidia_smi_utilization_gpu_ratio)"
_DELIVERED: Final = re.compile(r"^alertmanager_notifications_total\{[^}]*\} ([0-9.e+]+)", re.MULTILINE)
_FAILED: Final = re.compile(r"^alertmanager_notifications_failed_total\{[^}]*\} ([0-9.e+]+)", re.MULTILINE)
_ALERT_SECONDS: Final = 90.0
_LOOK_SECONDS: Final = 1.0
_PROMETHEUS: Final = "leadline preflight --prometheus http://..."
_ALERTMANAGER: Final = "leadline preflight --alertmanager http://... --try-alert"
_TRY: Final = "leadline preflight --try-alert"


class Count(NamedTuple):
    """Targets of a job: those that answer, and all."""

    up: int
    all: int


async def up_by_job(ground: Ground) -> dict[str, Count]:
    """Return how many targets of each job answer. Raises `ServiceError`."""
    told = await _prometheus(ground, "/api/v1/targets?state=active")
    found: dict[str, Count] = {}
    for target in told.get("activeTargets", []):
        job = str(target.get("labels", {}).get("job", ""))
        before = found.get(job, Count(0, 0))
        found[job] = Count(before.up + (target.get("health") == "up"), before.all + 1)
    return found


async def _prometheus(ground: Ground, path: str) -> dict[str, Any]:
    seen = await ground.site.ask(f"{ground.settings.preflight.prometheus}{path}")
    body = seen.json()
    if seen.status != 200 or body.get("status") != "success" or not isinstance(body.get("data"), dict):
        raise ServiceError(f"Prometheus answered {seen.status} to {path.partition('?')[0]}")
    data: dict[str, Any] = body["data"]
    return data


async def load_balancer(ground: Ground) -> Standing:
    """See that what answers is not one service alone."""
    preflight = ground.settings.preflight
    if preflight.url is None:
        return missing("`preflight.url` is not set: name the service as its users reach it")
    ready = await ground.site.ask(f"{preflight.url}/readyz")
    if ready.status != 200:
        raise ServiceUnavailable(f"{preflight.url}/readyz answered {ready.status}")
    if preflight.prometheus is None:
        return missing(f"{preflight.url} answers; without `preflight.prometheus` it is unknown what is behind it")
    services = (await up_by_job(ground)).get("leadline-service", Count(0, 0)).up
    if services < 2:
        return missing(f"{preflight.url} answers, and {services} service is behind it: the next deploy is an outage")
    return done(f"{services} services behind {preflight.url}")


async def metrics_scraped(ground: Ground) -> Standing:
    """See that Prometheus reads the metrics of every process that there is."""
    settings = ground.settings
    if settings.preflight.prometheus is None:
        return missing("`preflight.prometheus` is not set", _PROMETHEUS)
    wanted = ["leadline-service"]
    wanted += ["leadline-worker"] if settings.engine != "embedded" else []
    tools = settings.tools
    away = [place for place in (tools.search, tools.visit, tools.scholar, tools.python) if place != LOCAL]
    wanted += ["leadline-tools"] if away else []
    wanted += ["vllm"] if any(not server.priced for server in await _model_servers(ground)) else []
    jobs = await up_by_job(ground)
    gone = [job for job in wanted if not jobs.get(job, Count(0, 0)).all]
    down = [f"{job} ({count.all - count.up} of {count.all})" for job, count in jobs.items() if count.up < count.all]
    if gone:
        return missing(f"Prometheus scrapes no target of the job {gone[0]}", "see deploy/prometheus")
    if down:
        return missing(f"targets do not answer: {', '.join(down)}", "leadline doctor")
    return done(", ".join(f"{job}: {jobs[job].up} up" for job in wanted))


async def _model_servers(ground: Ground) -> tuple[Any, ...]:
    return await asyncio.to_thread(model_servers, ground.settings)


async def gpu_metrics(ground: Ground) -> Standing:
    """See that the load of GPUs is recorded, where model servers are one's own."""
    if all(server.priced for server in await _model_servers(ground)):
        return not_needed("no model server of one's own is set")
    if ground.settings.preflight.prometheus is None:
        return missing("`preflight.prometheus` is not set", _PROMETHEUS)
    told = await _prometheus(ground, f"/api/v1/query?query={GPU_SERIES.replace(' ', '%20')}")
    series = told.get("result") or []
    if not series:
        return missing(
            "Prometheus knows no load of a GPU: run an exporter (DCGM, or of nvidia-smi)", "see docs/alerts.md"
        )
    return done(f"{series[0]['value'][1]} GPUs are recorded")


async def rules_loaded(ground: Ground) -> Standing:
    """See that Prometheus evaluates the alerts, without a fault."""
    if ground.settings.preflight.prometheus is None:
        return missing("`preflight.prometheus` is not set", _PROMETHEUS)
    told = await _prometheus(ground, "/api/v1/rules?type=alert")
    rules = [rule for group in told.get("groups", []) for rule in group.get("rules", [])]
    names = {rule.get("name") for rule in rules}
    own = any(not server.priced for server in await _model_servers(ground))
    absent = [name for name in (*RULES, *([DOWN] if own else [])) if name not in names]
    broken = [str(rule.get("name")) for rule in rules if rule.get("health") == "err"]
    if absent:
        return missing(f"Prometheus has no alert {absent[0]}", "see deploy/prometheus")
    if broken:
        return missing(
            f"the alert {broken[0]} cannot be evaluated", "promtool check rules deploy/prometheus/rules/*.yml"
        )
    return done(f"{len(names)} alerts are evaluated")


async def alert_delivered(ground: Ground) -> Standing:
    """See that Alertmanager has told somebody of something, or make it do so."""
    preflight = ground.settings.preflight
    if preflight.alertmanager is None:
        return missing("`preflight.alertmanager` is not set", _ALERTMANAGER)
    if preflight.prometheus is not None:
        told = await _prometheus(ground, "/api/v1/alertmanagers")
        if not told.get("activeAlertmanagers"):
            return missing("Prometheus knows no Alertmanager, so nobody hears of its alerts", "see deploy/prometheus")
    before = await _notified(ground)
    if ground.try_alert:
        return await _tried(ground, before)
    if not before.up:
        return missing("Alertmanager has told nobody of anything since it started", _TRY)
    if before.all - before.up:
        failed = before.all - before.up
        return missing(f"{failed} of {before.all} notifications failed; Alertmanager's log says whose and why", _TRY)
    return done(f"{before.up} notifications delivered, none failed")


async def _tried(ground: Ground, before: Count) -> Standing:
    """Raise an alert and wait until one more notification was delivered."""
    labels = {"alertname": "LeadlinePreflight", "severity": "critical", "instance": f"{ground.clock.now():.0f}"}
    note = {"summary": "A test of `leadline preflight`: nothing is wrong."}
    body = codec.encode([{"labels": labels, "annotations": note}])
    seen = await ground.site.ask(f"{ground.settings.preflight.alertmanager}/api/v2/alerts", body=body)
    if seen.status != 200:
        return missing(f"Alertmanager answered {seen.status} to an alert", "see deploy/alertmanager")
    for _ in range(int(_ALERT_SECONDS / _LOOK_SECONDS)):
        now = await _notified(ground)
        if now.up > before.up:
            return done("an alert was sent and delivered")
        if now.all > before.all:
            return missing("an alert was sent, and its delivery failed", "see deploy/alertmanager")
        await asyncio.sleep(_LOOK_SECONDS)
    return missing(f"an alert was sent, and nobody was told within {_ALERT_SECONDS:.0f} s", "see deploy/alertmanager")


async def _notified(ground: Ground) -> Count:
    """Return the notifications that were delivered, and all."""
    seen = await ground.site.ask(f"{ground.settings.preflight.alertmanager}/metrics")
    if seen.status != 200:
        raise ServiceUnavailable(f"Alertmanager answered {seen.status} to /metrics")
    text = seen.body.decode("utf-8", "replace")
    every = round(sum(float(number) for number in _DELIVERED.findall(text)))
    return Count(every - round(sum(float(number) for number in _FAILED.findall(text))), every)


async def dashboards(ground: Ground) -> Standing:
    """See that Grafana has our dashboards."""
    place = ground.settings.preflight.grafana
    if place is None:
        return missing("`preflight.grafana` is not set", "leadline preflight --grafana http://...")
    seen = await ground.site.ask(f"{place}/api/search?type=dash-db&query=Leadline")
    if seen.status in {401, 403}:
        health = (await ground.site.ask(f"{place}/api/health")).status
        return missing(
            f"Grafana is there ({health}), but its list of dashboards asks for a login", "see deploy/grafana"
        )
    if seen.status != 200 or not seen.body.startswith(b"[{"):
        return missing(f"Grafana at {place} has no dashboard of Leadline", "see deploy/grafana")
    return done(f"dashboards are in {place}")
