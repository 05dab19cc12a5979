"""How the parts of Leadline are deployed, written once: for Kubernetes, for compose and for systemd.

`parts` is the one source; `kubernetes`, `compose` and `systemd` turn it into files, which
`scripts/deploy.py` writes below deploy/.
"""

from __future__ import annotations

from leadline.ops.manifests.compose import compose_files
from leadline.ops.manifests.kubernetes import kubernetes_files
from leadline.ops.manifests.parts import Deployment
from leadline.ops.manifests.systemd import systemd_files

__all__ = ["Deployment", "compose_files", "kubernetes_files", "systemd_files"]
