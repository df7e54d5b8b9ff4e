"""Reference answers for src/inference/logitRules.ts, by transformers' own logits processors.

    python scripts/reference/logitRules.py > test/inference/logitRules.json

A table of random scores stands for a model: row i are the scores of new token i, whatever came before. For each
generation config the processors that `generate` would use choose greedily; where it samples, the ids that a draw
could give are listed for every step, and the likeliest goes on. Needs transformers 5.24 and torch, on the CPU.
"""

import json
import random

import torch
import transformers
from transformers import GenerationConfig, LlamaConfig, LlamaForCausalLM

VOCABULARY, STEPS, END = 24, 14, [22, 23]
numbers = random.Random(5)
PROMPT = [3, 4, 5, 3, 4, 6, 7, 3, 4, 5, 8]
TABLE = [[round(numbers.gauss(0, 2), 2) for _ in range(VOCABULARY)] for _ in range(STEPS)]
# Ends and words of the prompt are likely, or few rules would have anything to do.
for i, row in enumerate(TABLE):
    for id in [*END, 3, 4, 5, 9]:
        row[id] = round(abs(row[id]) + (i * id) % 4, 2)
# The first words repeat the prompt's, so that pairs and triples of them come up again.
for row, likely in zip(TABLE, [{3: 9}, {4: 9}, {5: 9, 6: 8.5}]):
    for id, score in likely.items():
        row[id] = score

CONFIGS = [
    {},
    {"repetition_penalty": 1.3},
    {"encoder_repetition_penalty": 1.5},
    {"no_repeat_ngram_size": 1},
    {"no_repeat_ngram_size": 2},
    {"no_repeat_ngram_size": 3},
    {"encoder_no_repeat_ngram_size": 1},
    {"encoder_no_repeat_ngram_size": 2},
    {"bad_words_ids": [[9], [3, 4], [5, 3], [22], [8, 9, 3], [1] * 30]},
    {"sequence_bias": [[[9], -3.5], [[3, 4], 2.25], [[11], 4.0], [[5, 11], -7.5]]},
    {"min_length": 17},
    {"min_new_tokens": 6},
    {"forced_eos_token_id": 22},
    {"forced_eos_token_id": [23, 22]},
    {"exponential_decay_length_penalty": [3, 1.4]},
    {"suppress_tokens": [9, 3, 22, 23, -1]},
    {"begin_suppress_tokens": [9, 3, 23]},
    {"repetition_penalty": 1.2, "no_repeat_ngram_size": 2, "min_new_tokens": 9, "bad_words_ids": [[3], [9]]},
    {"exponential_decay_length_penalty": [1, 1.2], "min_length": 18, "forced_eos_token_id": 23},
    {"do_sample": True, "temperature": 0.7},
    {"do_sample": True, "top_k": 5},
    {"do_sample": True, "top_p": 0.7},
    {"do_sample": True, "min_p": 0.1},
    {"do_sample": True, "typical_p": 0.6},
    {"do_sample": True, "epsilon_cutoff": 0.05},
    {"do_sample": True, "eta_cutoff": 0.2},
    {"do_sample": True, "top_h": 0.4},
    {"do_sample": True, "temperature": 1.5, "top_k": 12, "top_p": 0.9, "min_p": 0.05, "no_repeat_ngram_size": 2},
]


def run(settings: dict) -> dict:
    # What `generate` fills in where a config says nothing; top_k would be 50 otherwise.
    config = GenerationConfig(**{"top_k": 0, "eos_token_id": END, "max_length": len(PROMPT) + STEPS, **settings})
    config._eos_token_tensor = torch.tensor(END)
    ids = torch.tensor([PROMPT])
    processors = model._get_logits_processor(config, len(PROMPT), ids, model_kwargs={})
    kept = []
    for row in TABLE:
        scores = processors(ids, torch.tensor([row]))
        kept.append([id for id, score in enumerate(scores[0].tolist()) if score > -float("inf")])
        ids = torch.cat([ids, scores.argmax(dim=-1, keepdim=True)], dim=-1)
    answer = {"settings": settings, "ids": ids[0, len(PROMPT) :].tolist()}
    return {**answer, "kept": kept} if settings.get("do_sample") else answer


model = LlamaForCausalLM(
    LlamaConfig(vocab_size=VOCABULARY, hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=1)
)
answers = {
    "transformers": transformers.__version__,
    "prompt": PROMPT,
    "ends": END,
    "table": TABLE,
    "cases": [run(settings) for settings in CONFIGS],
}
print(json.dumps(answers))
