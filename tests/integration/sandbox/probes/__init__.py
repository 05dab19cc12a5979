"""The escape and abuse suite: one table, run against every design."""

from tests.integration.sandbox.probes.kernel import KERNEL
from tests.integration.sandbox.probes.limits import LIMITS
from tests.integration.sandbox.probes.outside import OUTSIDE
from tests.integration.sandbox.probes.probe import Probe
from tests.integration.sandbox.probes.reach import REACH

PROBES: tuple[Probe, ...] = (*OUTSIDE, *REACH, *KERNEL, *LIMITS)
