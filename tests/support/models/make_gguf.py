"""Writes a small model with random weights for llama.cpp: `python make_gguf.py FILE`.

Run by the Python of the environment that has llama.cpp's server: it needs `gguf`, `numpy` and
`tokenizers`, and nothing from any network.
"""

from __future__ import annotations

import json
import sys

import gguf
import numpy as np
from vocabulary import SPECIAL, trained

WIDTH, LAYERS, HEADS, KV_HEADS, INNER, WINDOW = 256, 4, 4, 2, 768, 8192


def main(path: str) -> None:
    """Write the file."""
    writer = gguf.GGUFWriter(path, "llama")
    _shape(writer)
    size = _vocabulary(writer)
    _weights(writer, size)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _shape(writer: gguf.GGUFWriter) -> None:
    writer.add_context_length(WINDOW)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(INNER)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KV_HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(WIDTH // HEADS)


def _vocabulary(writer: gguf.GGUFWriter) -> int:
    """Write the tokens and return how many they are."""
    model = json.loads(trained().to_str())["model"]
    tokens = sorted(model["vocab"], key=model["vocab"].get)
    writer.add_vocab_size(len(tokens))
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(tokens)
    writer.add_token_types([3 if token in SPECIAL else 1 for token in tokens])  # control, normal
    writer.add_token_merges([pair if isinstance(pair, str) else " ".join(pair) for pair in model["merges"]])
    writer.add_bos_token_id(tokens.index(SPECIAL[0]))
    writer.add_eos_token_id(tokens.index(SPECIAL[2]))
    return len(tokens)


def _weights(writer: gguf.GGUFWriter, size: int) -> None:
    random = np.random.default_rng(7)

    def put(name: str, *shape: int) -> None:
        values = random.normal(0.0, 0.02, shape).astype(np.float32) if len(shape) > 1 else np.ones(shape, np.float32)
        writer.add_tensor(f"{name}.weight", values)

    put("token_embd", size, WIDTH)
    for layer in range(LAYERS):
        at, narrow = f"blk.{layer}", WIDTH * KV_HEADS // HEADS
        put(f"{at}.attn_norm", WIDTH)
        put(f"{at}.attn_q", WIDTH, WIDTH)
        put(f"{at}.attn_k", narrow, WIDTH)
        put(f"{at}.attn_v", narrow, WIDTH)
        put(f"{at}.attn_output", WIDTH, WIDTH)
        put(f"{at}.ffn_norm", WIDTH)
        put(f"{at}.ffn_gate", INNER, WIDTH)
        put(f"{at}.ffn_up", INNER, WIDTH)
        put(f"{at}.ffn_down", WIDTH, INNER)
    put("output_norm", WIDTH)
    put("output", size, WIDTH)


if __name__ == "__main__":
    main(sys.argv[1])
