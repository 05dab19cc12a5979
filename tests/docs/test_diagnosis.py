"""The pages on diagnosis: the reference's items are all covered, commands, settings and metrics in them exist."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path

import click
import pytest

from leadline.cli.main import cli
from leadline.ops.doctor import CHECKS
from leadline.ops.preflight import ITEMS
from leadline.settings import items

ROOT = Path(__file__).resolve().parents[2]
SOURCES = [*(ROOT / "src/leadline/ops/doctor").glob("*.py"), *(ROOT / "src/leadline/ops/preflight").glob("*.py")]
OWN = ("model-timeouts", "tools-failing", "malformed-output", "memory")
PAGES = [ROOT / "docs/diagnosis.md", *(ROOT / f"docs/runbooks/{name}.md" for name in OWN)]

# The checklist before production of the reference, item by item, with the item of ours that stands for it.
CHECKLIST: Mapping[str, str] = {
    "GPU服务器配置完成（显存、驱动）": "gpu_servers",
    "Redis集群部署完成": "redis",
    "负载均衡配置完成": "load_balancer",
    "SSL证书配置完成": "tls",
    "vLLM服务启动并通过健康检查": "model_health",
    "多节点负载均衡配置": "several_models",
    "GPU利用率监控配置": "gpu_metrics",
    "自动重启配置": "restarts",
    "搜索API Key配置并验证": "provider_keys",
    "各工具服务启动并通过测试": "tools_work",
    "限流配置完成": "limits_answer",
    "缓存配置完成": "cache",
    "Prometheus指标收集配置": "metrics_scraped",
    "Grafana仪表盘配置": "dashboards",
    "告警规则配置并测试": "rules_loaded alert_delivered",
    "日志收集配置": "logs_collected",
    "API认证配置": "auth_required",
    "敏感信息加密存储": "secrets_encrypted",
    "网络隔离配置": "network_isolated sandbox_isolated",
    "访问日志记录": "access_log",
    "数据备份策略": "backup_fresh restore_tried",
    "故障转移配置": "failover",
    "回滚方案准备": "rollback",
}

# The reference's four problems: each step, cause and remedy, with words of ours that stand for it.
PROBLEMS: Mapping[str, Mapping[str, str]] = {
    "model-timeouts": {
        "检查GPU利用率: nvidia-smi": "nvidia-smi",
        "检查模型服务日志: docker logs vllm": "docker logs vllm",
        "检查队列积压: redis-cli llen task_queue": "redis-cli llen leadline.tickets",
        "GPU显存不足": "the GPU's memory is full",
        "并发请求过多": "too many requests at a time",
        "上下文过长": "the context is too long",
        "增加GPU资源或减少max_num_seqs": "max_num_seqs",
        "实施请求限流": "LEADLINE_ADMISSION__KEY_RUNS",
        "启用ReSum缩短上下文": "--strategy resum",
    },
    "tools-failing": {
        "检查API配额": "Quota",
        "检查网络连通性: curl -I": "curl -sSI",
        "查看错误日志: grep tool_call.*error": '"event":"tool_call"',
        "API配额耗尽": "the quota is used up",
        "网络问题": "the network",
        "目标网站封锁": "the site turns us away",
        "增加API配额或使用多个API Key": "API_KEYS=one,two",
        "配置代理": "LEADLINE_PROXY",
        "实施重试和降级策略": "Retries, fail-over",
    },
    "malformed-output": {
        "查看原始输出": "--raw",
        "检查system prompt": "the prompts are files",
        "检查temperature": "model.temperature",
        "System prompt不清晰": "your own instructions confuse it",
        "Temperature过高导致随机性大": "the temperature is too high",
        "模型能力不足": "the model is too small",
        "优化system prompt，增加示例": "give an example of the form",
        "降低temperature到0.6-0.7": "0.6, the default, to 0.7",
        "实施输出格式校验和重试": "is asked for once more",
    },
    "memory": {
        "检查内存使用: free -h": "free -h",
        "检查GPU显存: nvidia-smi": "nvidia-smi",
        "分析堆内存: 使用memory_profiler": "memory_profiler",
        "上下文过长": "the context is too long",
        "缓存未释放": "the cache",
        "内存泄漏": "a leak",
        "限制上下文长度": "LEADLINE_MODEL__CONTEXT",
        "配置缓存过期": "LEADLINE_CACHING__PAGE_SECONDS",
        "使用IterResearch减少内存占用": "--strategy iterresearch",
    },
}


def test_every_item_of_the_checklist_has_its_own() -> None:
    known = {item.id for item in ITEMS}
    named = {name for ours in CHECKLIST.values() for name in ours.split()}
    assert len(CHECKLIST) == 23
    assert named <= known
    assert known - named == {"on_call"}


@pytest.mark.parametrize("name", OWN)
def test_every_step_cause_and_remedy_of_the_reference_is_there(name: str) -> None:
    text = " ".join((ROOT / f"docs/runbooks/{name}.md").read_text(encoding="utf-8").split())
    assert [theirs for theirs, ours in PROBLEMS[name].items() if ours not in text] == []


def test_every_check_is_told_of() -> None:
    text = (ROOT / "docs/diagnosis.md").read_text(encoding="utf-8")
    assert [check.name for check in CHECKS if f"| `{check.name}` |" not in text] == []


def test_every_runbook_that_is_named_is_there() -> None:
    texts = [path.read_text(encoding="utf-8") for path in SOURCES]
    named = {link for text in texts for link in re.findall(r"docs/[a-z/-]+\.md(?:#[a-z-]+)?", text)}
    named |= {f"docs/diagnosis.md{anchor}" for text in texts for anchor in re.findall(r"\{_PAGE\}(#[a-z-]+)", text)}
    assert len(named) > 12
    assert [link for link in sorted(named) if not _is_there(link)] == []


def _is_there(link: str) -> bool:
    page, _, anchor = link.partition("#")
    path = ROOT / page
    if not path.exists():
        return False
    headings = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return not anchor or anchor in {heading.lower().replace(" ", "-") for heading in headings}


def commands(path: Path) -> Iterator[str]:
    """Yield each call of our program that a page or a source names."""
    text = re.sub(r"\\\n\s*", " ", path.read_text(encoding="utf-8"))
    text = re.sub(r"(?<=\S)\n(?=\S)", " ", text) if path.suffix == ".md" and "```" not in text else text
    pattern = (
        r'"(leadline [a-z][^"#{]*)' if path.suffix == ".py" else r"(?:`|^)(?:[A-Z_]+=\S+ )*(leadline [a-z][^`#\n]*)"
    )
    yield from re.findall(pattern, text, re.MULTILINE)


@pytest.mark.parametrize("path", [*SOURCES, *PAGES], ids=lambda path: path.name)
def test_every_command_exists(path: Path) -> None:
    wrong = [line for line in commands(path) if not _parses(line)]
    assert wrong == []


def _parses(line: str) -> bool:
    words = shlex.split(line.partition("|")[0])[1:]
    command: click.Command | None = cli
    context = click.Context(cli, info_name="leadline")
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        command = command.get_command(context, words.pop(0))
    if command is None:
        return False
    options = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
    return {word for word in words if word.startswith("-")} <= options | {"--help"}


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_every_setting_and_metric_exists(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    known = {item.variable for item in items().values()}
    named = set(re.findall(r"\bLEADLINE_[A-Z0-9_]+[A-Z0-9]\b(?!__\*)", text))
    assert sorted(name for name in named if name not in known) == []
    metrics = (ROOT / "docs/metrics.md").read_text(encoding="utf-8")
    used = set(re.findall(r"`((?:leadline|agent)_[a-z_]+)", text))
    assert sorted(name for name in used if f"`{name}`" not in metrics) == []
