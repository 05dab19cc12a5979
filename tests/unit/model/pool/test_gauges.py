"""Gauges of real servers' metrics pages."""

from __future__ import annotations

import pytest

from leadline.model.pool.gauges import Gauges, parse_gauges

VLLM = b"""# HELP vllm:num_requests_running Number of requests in model execution batches.
# TYPE vllm:num_requests_running gauge
vllm:num_requests_running{engine="0",model_name="Qwen/Qwen2.5-32B-Instruct"} 3.0
# TYPE vllm:num_requests_waiting gauge
vllm:num_requests_waiting{engine="0",model_name="Qwen/Qwen2.5-32B-Instruct"} 2.0
vllm:num_requests_waiting_by_reason{engine="0",reason="capacity"} 2.0
# TYPE vllm:kv_cache_usage_perc gauge
vllm:kv_cache_usage_perc{engine="0"} 0.25
vllm:prefix_cache_queries_total{engine="0"} 1.0e+03
vllm:prefix_cache_hits_total{engine="0"} 750.0
"""
OLD_VLLM = VLLM.replace(b"kv_cache_usage_perc", b"gpu_cache_usage_perc")
TWO_RANKS = VLLM + VLLM.replace(b'engine="0"', b'engine="1"').replace(b"} 0.25", b"} 0.75")
TGI = b"tgi_batch_current_size 4\ntgi_queue_size 1\ntgi_request_count 99\n"
LLAMA = b"llamacpp:requests_processing 1\nllamacpp:requests_deferred 0\nllamacpp:kv_cache_usage_ratio 0.5\n"
SGLANG = b'sglang:num_running_reqs{model_name="m"} 7\nsglang:num_queue_reqs{model_name="m"} 0\n'


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (VLLM, Gauges(running=3, waiting=2, cache_usage=0.25, prefix_hits=750, prefix_queries=1000)),
        (OLD_VLLM, Gauges(running=3, waiting=2, cache_usage=0.25, prefix_hits=750, prefix_queries=1000)),
        (TWO_RANKS, Gauges(running=6, waiting=4, cache_usage=0.75, prefix_hits=1500, prefix_queries=2000)),
        (TGI, Gauges(running=4, waiting=1)),
        (LLAMA, Gauges(running=1, waiting=0, cache_usage=0.5)),
        (SGLANG, Gauges(running=7, waiting=0)),
        (VLLM.replace(b"\n", b"\r\n"), None),
    ],
    ids=["vllm", "old vllm", "two ranks", "tgi", "llama.cpp", "sglang", "carriage returns"],
)
def test_each_servers_names_are_known(text: bytes, expected: Gauges | None) -> None:
    found = parse_gauges(text)
    if expected is None:
        assert found is not None
        assert found.load == 5
    else:
        assert found == expected


@pytest.mark.parametrize(
    "text",
    [b"", b"# only comments\n", b"go_goroutines 12\n", b"vllm:num_requests_running NaN\n", b"<html>", b"\xff\xfe{}"],
    ids=["empty", "comments", "another's", "nan", "html", "bytes"],
)
def test_what_says_nothing_is_nothing(text: bytes) -> None:
    assert parse_gauges(text) is None
