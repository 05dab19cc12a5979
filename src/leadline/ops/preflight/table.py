"""The whole list, in the order in which it is gone through."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from leadline.ops.preflight import inside, monitoring, outside
from leadline.ops.preflight.item import Item

ITEMS: Final[Sequence[Item]] = (
    Item(
        id="gpu_servers",
        section="infrastructure",
        text="GPU servers are set up: memory, driver",
        look=inside.gpu_servers,
    ),
    Item(
        id="redis",
        section="infrastructure",
        text="Redis is deployed: one for the queue, one for the cache, replicated",
        must=False,
        look=inside.redis,
    ),
    Item(
        id="load_balancer",
        section="infrastructure",
        text="A load balancer stands before several services",
        must=False,
        look=monitoring.load_balancer,
    ),
    Item(id="tls", section="infrastructure", text="TLS is served with a valid certificate", look=outside.tls),
    Item(id="model_health", section="models", text="Model servers are up and answer", look=inside.model_health),
    Item(
        id="several_models",
        section="models",
        text="Several model servers are balanced",
        must=False,
        look=inside.several_models,
    ),
    Item(
        id="gpu_metrics",
        section="models",
        text="The load of GPUs is recorded",
        must=False,
        look=monitoring.gpu_metrics,
    ),
    Item(id="restarts", section="models", text="Do model servers, services and workers restart by themselves?"),
    Item(
        id="provider_keys",
        section="tools",
        text="The key of each provider is set and accepted",
        look=inside.provider_keys,
    ),
    Item(id="tools_work", section="tools", text="Each tool, or its service, does its work", look=inside.tools_work),
    Item(
        id="limits_answer",
        section="tools",
        text="Limits are set: too many requests are answered with 429",
        look=outside.limits_answer,
        last=True,
    ),
    Item(id="cache", section="tools", text="The cache is set and works", look=inside.cache),
    Item(
        id="metrics_scraped",
        section="monitoring",
        text="Prometheus scrapes every process",
        look=monitoring.metrics_scraped,
    ),
    Item(
        id="dashboards",
        section="monitoring",
        text="Grafana has the dashboards",
        must=False,
        look=monitoring.dashboards,
    ),
    Item(id="rules_loaded", section="monitoring", text="Alert rules are loaded", look=monitoring.rules_loaded),
    Item(
        id="alert_delivered",
        section="monitoring",
        text="An alert was delivered to somebody",
        look=monitoring.alert_delivered,
        seconds=120.0,
    ),
    Item(
        id="logs_collected",
        section="monitoring",
        text="Logs are collected where they outlive the process",
        must=False,
        look=inside.logs_collected,
    ),
    Item(id="on_call", section="monitoring", text="Is somebody there who acts on an alert at any hour?"),
    Item(id="auth_required", section="security", text="The API asks for a key", look=outside.auth_required),
    Item(
        id="secrets_encrypted",
        section="security",
        text="Secrets are encrypted where they are kept and where they travel",
        look=inside.secrets_encrypted,
    ),
    Item(
        id="sandbox_isolated",
        section="security",
        text="Programs of models are cut off from network and files",
        look=inside.sandbox_isolated,
    ),
    Item(
        id="network_isolated",
        section="security",
        text="Can only the balancer be reached from outside: no store, Redis, model server, tool service, metrics?",
    ),
    Item(id="access_log", section="security", text="Requests are written into an access log", look=outside.access_log),
    Item(id="backup_fresh", section="recovery", text="The last backup is young and verified", look=inside.backup_fresh),
    Item(id="restore_tried", section="recovery", text="A restore was proven lately", look=inside.restore_tried),
    Item(id="failover", section="recovery", text="Was the fail-over of database and Redis tried?"),
    Item(id="rollback", section="recovery", text="Was going back to the version before tried?"),
)
