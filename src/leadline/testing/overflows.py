"""How real servers say that a prompt is longer than their window of 4096 tokens."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from leadline.codec import encode
from leadline.testing.script import Reply


def _reply(status: int, value: dict[str, Any]) -> Reply:
    return Reply(status=status, body=encode(value).decode())


OVERFLOWS: Final[Mapping[str, Reply]] = MappingProxyType(
    {
        "openai": _reply(
            400,
            {
                "error": {
                    "message": "This model's maximum context length is 4096 tokens. However, your "
                    "messages resulted in 5294 tokens. Please reduce the length of the messages.",
                    "type": "invalid_request_error",
                    "param": "messages",
                    "code": "context_length_exceeded",
                }
            },
        ),
        "vllm": _reply(
            400,
            {
                "object": "error",
                "message": "This model's maximum context length is 4096 tokens. However, you "
                "requested 6616 tokens (568 in the messages, 6048 in the completion). Please "
                "reduce the length of the messages or completion.",
                "type": "BadRequestError",
                "param": None,
                "code": 400,
            },
        ),
        "vllm prompt": _reply(
            400,
            {
                "error": {
                    "message": "The decoder prompt (length 9000) is longer than the maximum model "
                    "length of 4096. Make sure that `max_model_len` is no smaller than the number "
                    "of text tokens.",
                    "type": "BadRequestError",
                    "param": None,
                    "code": 400,
                }
            },
        ),
        "llama.cpp": _reply(
            400,
            {
                "error": {
                    "code": 400,
                    "message": "request (4390 tokens) exceeds the available context size (4096 "
                    "tokens), try increasing it",
                    "type": "exceed_context_size_error",
                    "n_prompt_tokens": 4390,
                    "n_ctx": 4096,
                }
            },
        ),
        "llama.cpp old": _reply(
            500,
            {
                "error": {
                    "code": 500,
                    "message": "the request exceeds the available context size. try increasing "
                    "the context size or enable context shift",
                    "type": "exceed_context_size_error",
                    "n_prompt_tokens": 4407,
                    "n_ctx": 4096,
                }
            },
        ),
        "llama-cpp-python": _reply(
            400,
            {
                "error": {
                    "message": "This model's maximum context length is 4096 tokens, however you "
                    "requested 5285 tokens (5269 in your prompt; 16 for the completion).",
                    "type": "invalid_request_error",
                    "param": "messages",
                    "code": "context_length_exceeded",
                }
            },
        ),
        "sglang": _reply(
            400,
            {
                "object": "error",
                "message": "The input (61709 tokens) is longer than the model's context length (4096 tokens).",
                "type": "BadRequestError",
                "param": None,
                "code": 400,
            },
        ),
        "tgi": _reply(
            422,
            {
                "error": "Input validation error: `inputs` tokens + `max_new_tokens` must be <= "
                "4096. Given: 8740 `inputs` tokens and 500 `max_new_tokens`",
                "error_type": "validation",
            },
        ),
        "ollama": _reply(
            400,
            {
                "error": {
                    "message": "the input length exceeds the context length",
                    "type": "invalid_request_error",
                    "param": None,
                    "code": None,
                }
            },
        ),
    }
)
