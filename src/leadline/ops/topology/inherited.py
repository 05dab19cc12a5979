"""What a part inherits of the environment in which the topology was started."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from leadline.ops.manifests.parts import TOOL, needed_by
from leadline.ops.topology.units import Unit
from leadline.settings.environment import holds_secret
from leadline.settings.registry import PREFIX

_OF_SERVERS: Final = frozenset(
    {
        *("PATH", "HOME", "USER", "LOGNAME", "LANG", "LANGUAGE", "TZ", "TMPDIR"),
        *("LD_LIBRARY_PATH", "SSL_CERT_FILE", "SSL_CERT_DIR"),
    }
)


def inherited(unit: Unit, environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a part that is started from `environment`: what it needs of it, and its own."""
    if not unit.own:
        return {**of_servers(environment), **unit.env}
    around = needed_by(unit.name, environment)
    if unit.name.startswith(TOOL):  # a key of whatever else was started from the same shell is not for it
        around = {
            name: text for name, text in around.items() if name.startswith(PREFIX) or not holds_secret(name, text)
        }
    return {**around, **unit.env}


def of_servers(environment: Mapping[str, str]) -> dict[str, str]:
    """Return what a server that is not Leadline's needs to run: no setting of ours, and no key of anybody."""
    return {name: text for name, text in environment.items() if name in _OF_SERVERS or name.startswith("LC_")}
