"""What `nvidia-smi` tells, read."""

from __future__ import annotations

from leadline.ops.doctor.machine import read_gpus

TABLE = """\
0, NVIDIA H100 80GB HBM3, 97, 71234, 81559, 570.124.06
1, "NVIDIA RTX, special", [N/A], 512, 24564, 570.124.06
2, NVIDIA T4, 3, [N/A], [N/A], 570.124.06
a line of another shape
"""


def test_gpus_are_read_and_odd_lines_skipped() -> None:
    first, second = read_gpus(TABLE)
    assert (first.place, first.name, first.percent, first.used, first.total) == (
        *("0", "NVIDIA H100 80GB HBM3", 97.0),
        *(71_234.0, 81_559.0),
    )
    assert (second.name, second.percent, second.driver) == ("NVIDIA RTX, special", None, "570.124.06")


def test_nothing_is_no_gpu() -> None:
    assert read_gpus("") == ()
