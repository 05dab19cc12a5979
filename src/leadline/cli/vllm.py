"""The command `vllm-command`."""

from __future__ import annotations

import click

from leadline.cli.options import common, setting_option
from leadline.cli.session import settings_of
from leadline.cli.shell import Shell, pass_shell, write


@click.command(
    name="vllm-command",
    epilog="""\b
Examples:
  leadline vllm-command --model Qwen/Qwen2.5-7B-Instruct
  leadline vllm-command --config examples/vllm.toml
  leadline vllm-command --config examples/vllm.toml --systemd > vllm.service
  leadline vllm-command --config examples/vllm.toml --kubernetes --replicas 4 > vllm.yaml
""",
)
@setting_option("--model", "vllm.model", metavar="NAME", help="What is served: a name at a hub, or a folder.")
@click.option("--systemd", "form", flag_value="systemd", help="A unit that starts it, and again when it fails.")
@click.option("--kubernetes", "form", flag_value="kubernetes", help="A stateful set and its service.")
@click.option("--replicas", type=click.IntRange(1, 1000), default=1, show_default=True, help="Servers in Kubernetes.")
@click.option("--name", default="vllm", show_default=True, help="Their name in Kubernetes.")
@click.option("--namespace", default="default", show_default=True, help="Their namespace in Kubernetes.")
@common
@pass_shell
def vllm_command(shell: Shell, *, form: str | None, replicas: int, name: str, namespace: str) -> None:
    """Print how to start the vLLM server that the settings under `vllm` describe.

    A shell's command unless another form is asked for. No key is ever part of it: vLLM takes it
    from its environment. On stderr: the address for LEADLINE_MODEL__URLS.
    """
    from leadline.wiring.serving import vllm_launch  # noqa: PLC0415 aiohttp is slow to import

    settings = settings_of(shell)
    match form:
        case "systemd" | "kubernetes":
            launch = vllm_launch(settings, form, name=name, namespace=namespace, replicas=replicas)
        case _:
            launch = vllm_launch(settings, "shell")
    shell.say(f"LEADLINE_MODEL__URLS={','.join(launch.urls)}")
    write(launch.text)
