"""What a tool is called with."""

from __future__ import annotations

import pytest

from leadline.domain import Options
from leadline.ports import CallContext


@pytest.fixture
def context() -> CallContext:
    return CallContext(
        run_id="r1",
        tenant="local",
        deadline=10.0,
        goal="how deep is the harbour",
        language="en",
        options=Options(),
    )
