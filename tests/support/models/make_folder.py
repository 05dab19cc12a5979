"""Writes the configuration and tokenizer of a small Qwen2 for vLLM: `python make_folder.py FOLDER`.

The weights are vLLM's own random ones (`--load-format dummy`). Run by the Python of the environment
that has vLLM: it needs `transformers` and `tokenizers`, and nothing from any network.
"""

from __future__ import annotations

import sys

from transformers import PreTrainedTokenizerFast, Qwen2Config
from vocabulary import SPECIAL, trained

CHAT = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def main(folder: str) -> None:
    """Write the files."""
    tokenizer = trained()
    end = tokenizer.token_to_id(SPECIAL[2])
    config = Qwen2Config(
        vocab_size=tokenizer.get_vocab_size(),
        hidden_size=256,
        intermediate_size=512,
        num_hidden_layers=4,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=8192,
        tie_word_embeddings=False,
        eos_token_id=end,
        pad_token_id=end,
        architectures=["Qwen2ForCausalLM"],
        dtype="bfloat16",
    )
    config.save_pretrained(folder)
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token=SPECIAL[2], pad_token=SPECIAL[2], chat_template=CHAT
    )
    fast.save_pretrained(folder)


if __name__ == "__main__":
    main(sys.argv[1])
