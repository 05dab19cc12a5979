"""A byte-level vocabulary learnt from a few sentences, so that any text can be cut into tokens."""

from __future__ import annotations

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<tool_call>", "</tool_call>")
TEXT = (
    "A lead line is the marked, weighted rope with which a ship sounds the depth before it trusts the water. "
    "The question goes in, an agent plans, searches, reads and computes, and a report comes out. "
    "Every sentence that claims something is tied to a span of a stored source, and checked. "
    "{}[]():,.;\"'<>/=+-_*#0123456789 \n"
)


def trained() -> Tokenizer:
    """Return the tokenizer; the same each time."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=512,
        special_tokens=list(SPECIAL),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator([TEXT], trainer)
    return tokenizer
