"""Writes a language model of random weights: it says nonsense, one real token after the other.

usage: tiny_model.py FILE
"""

import sys

import gguf
import numpy

EMBEDDING, LAYERS, HEADS, FEED_FORWARD, CONTEXT = 64, 1, 4, 128, 256


def vocabulary():
    """Letters, a few words, and every byte, so that any text can be read and what is said is readable."""
    special = [("<unk>", gguf.TokenType.UNKNOWN), ("<s>", gguf.TokenType.CONTROL), ("</s>", gguf.TokenType.CONTROL)]
    raw = [(f"<0x{byte:02X}>", gguf.TokenType.BYTE) for byte in range(256)]
    letters = [(letter, gguf.TokenType.NORMAL) for letter in "▁abcdefghijklmnopqrstuvwxyz.,"]
    words = [f"▁{one}{two}" for one in ("ka", "lo", "mi", "ne", "ru") for two in ("ta", "vo", "si", "le", "ño")]
    return special + raw + letters + [(word, gguf.TokenType.NORMAL) for word in words]


def write(path):
    tokens = vocabulary()
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name("tiny")
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(EMBEDDING)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(FEED_FORWARD)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(EMBEDDING // HEADS)
    writer.add_vocab_size(len(tokens))
    writer.add_tokenizer_model("llama")
    writer.add_token_list([text.encode() for text, _ in tokens])
    writer.add_token_scores([float(-index) for index in range(len(tokens))])
    writer.add_token_types([int(kind) for _, kind in tokens])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_unk_token_id(0)

    dice = numpy.random.default_rng(7)

    def weights(*shape):
        return (dice.standard_normal(shape) * 0.2).astype(numpy.float32)

    ones = numpy.ones(EMBEDDING, dtype=numpy.float32)
    output = 3 * weights(len(tokens), EMBEDDING)
    # Nothing but words is likely: neither an early end nor bytes that are no text.
    output[: len(tokens) - 25] = 0.0
    writer.add_tensor("token_embd.weight", weights(len(tokens), EMBEDDING))
    writer.add_tensor("output_norm.weight", ones)
    writer.add_tensor("output.weight", output)
    for layer in range(LAYERS):
        block = f"blk.{layer}."
        writer.add_tensor(block + "attn_norm.weight", ones)
        writer.add_tensor(block + "ffn_norm.weight", ones)
        for name in ("attn_q", "attn_k", "attn_v", "attn_output"):
            writer.add_tensor(f"{block}{name}.weight", weights(EMBEDDING, EMBEDDING))
        writer.add_tensor(block + "ffn_gate.weight", weights(FEED_FORWARD, EMBEDDING))
        writer.add_tensor(block + "ffn_up.weight", weights(FEED_FORWARD, EMBEDDING))
        writer.add_tensor(block + "ffn_down.weight", weights(EMBEDDING, FEED_FORWARD))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


if __name__ == "__main__":
    write(sys.argv[1])
