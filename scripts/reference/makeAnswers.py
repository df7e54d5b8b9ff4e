"""Makes the small set of reference answers in test/reference: tiny Qwen2.5-VL checkpoints of random bfloat16 weights,
and what upstream transformers, PEFT and PyTorch answer with them (ilvr.py beside this file adds ILVR's loop and
losses). Nothing of this project's TypeScript takes part.

    python3 -m venv /tmp/reference && /tmp/reference/bin/pip install -r scripts/reference/requirements.txt
    /tmp/reference/bin/python scripts/reference/makeAnswers.py test/reference

The folder is written anew. The layout is that of the README's section on conformance.
"""

import json
import shutil
import sys
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw
from safetensors.torch import save_file
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import smart_resize

from ilvr import Reader, open_picture, training_answers

SPECIAL = (
    "endoftext im_start im_end object_ref_start object_ref_end box_start box_end quad_start quad_end "
    "vision_start vision_end vision_pad image_pad video_pad latent_pad latent_start latent_end"
).split()
MERGES = 30
VOCABULARY = 304

CORPUS = "system\nuser\nassistant\nsystem\nuser\nassistant\nsystem\nassistant\nFind a path. The goal is right, down. "

TEMPLATE = (
    "{% for m in messages %}{% if loop.first and m.role != 'system' %}<|im_start|>system\nBe brief.<|im_end|>\n"
    "{% endif %}<|im_start|>{{ m.role }}\n{% if m.content is string %}{{ m.content }}{% else %}"
    "{% for part in m.content %}{% if part.type == 'image' %}<|vision_start|><|image_pad|><|vision_end|>"
    "{% elif part.type == 'text' %}{{ part.text }}{% endif %}{% endfor %}{% endif %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)

PROCESSOR = {
    "image_processor_type": "Qwen2VLImageProcessor",
    "processor_class": "Qwen2_5_VLProcessor",
    "min_pixels": 3136,
    "max_pixels": 7840,
    "patch_size": 14,
    "temporal_patch_size": 2,
    "merge_size": 2,
    "image_mean": [0.48145466, 0.4578275, 0.40821073],
    "image_std": [0.26862954, 0.26130258, 0.27577711],
    "rescale_factor": 1 / 255,
}

# Sizes of the two checkpoints; what one leaves out is as in the other.
FLAT = {
    "text": {"hidden_size": 32, "intermediate_size": 40, "num_hidden_layers": 2, "num_attention_heads": 4},
    "sections": [1, 1, 2],
    "vision": {"depth": 2, "fullatt_block_indexes": [1], "hidden_size": 16, "num_heads": 2, "intermediate_size": 24},
    "window": 56,
    "latents": 3,
    "tied": False,
    "penalty": 1.0,
    "seed": 1,
}
TIED = {
    "text": {"hidden_size": 24, "intermediate_size": 32, "num_hidden_layers": 3, "num_attention_heads": 4},
    "sections": [1, 1, 1],
    "vision": {"depth": 2, "fullatt_block_indexes": [0], "hidden_size": 16, "num_heads": 2, "intermediate_size": 16},
    "window": 112,
    "latents": 2,
    "tied": True,
    "penalty": 1.05,
    "seed": 4,
}

# Gradients that are kept: of each kind one, those of the vocabulary's size in one case only.
LARGE_GRADIENTS = ["lm_head.weight", "model.embed_tokens.weight"]
KEPT_GRADIENTS = [
    "model.layers.0.self_attn.k_proj.bias",
    "model.layers.0.self_attn.q_proj.weight",
    "model.layers.0.self_attn.o_proj.weight",
    "model.layers.1.mlp.down_proj.weight",
    "model.layers.1.input_layernorm.weight",
    "model.norm.weight",
]


def main(out):
    out = Path(out)
    if out.exists():
        shutil.rmtree(out)
    images = out / "images"
    images.mkdir(parents=True)
    pictures = draw_pictures(images)
    tokenizer = make_tokenizer()
    ids = {name: tokenizer.token_to_id(f"<|{name}|>") for name in SPECIAL}
    make_checkpoint(out / "flat", FLAT, tokenizer, ids)
    make_checkpoint(out / "tied", TIED, tokenizer, ids, shards=3)
    make_twins(out, tokenizer)
    make_adapter(out / "lora", out / "flat")
    reader = Reader(out / "flat")
    write_preprocess(out, reader, pictures)
    write_tokens(out, reader)
    write_json(out / "scoring.json", SCORING)
    for name in ("flat", "tied"):
        reader = Reader(out / name)
        write_forward(out, name, reader)
        write_generate(out, name, reader, ids)
        write_training(out, name, reader)
    write_adapter_logits(out, Reader(out / "flat", adapter=out / "lora"))
    size = sum(file.stat().st_size for file in out.rglob("*") if file.is_file())
    print(f"{size} bytes in {out}")


# ---- checkpoints


def make_tokenizer(special=SPECIAL):
    """Byte-level BPE as Qwen's, with a few merges, and ILVR's three tokens after Qwen's own."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    pattern = (
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
        r"|\s*[\r\n]+|\s+(?!\S)|\s+"
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(pattern), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=len(alphabet) + MERGES, initial_alphabet=sorted(alphabet), show_progress=False)
    tokenizer.train_from_iterator([CORPUS] * 4, trainer)
    tokenizer.add_special_tokens([AddedToken(f"<|{name}|>", special=True, normalized=False) for name in special])
    return tokenizer


def config_of(spec, ids):
    """config.json as transformers 4.50 writes it: flat."""
    text = spec["text"]
    return {
        "architectures": ["Qwen2_5_VLForConditionalGeneration"],
        "model_type": "qwen2_5_vl",
        "torch_dtype": "bfloat16",
        "transformers_version": "4.50.0",
        "vocab_size": VOCABULARY,
        "num_key_value_heads": 2,
        "hidden_act": "silu",
        "max_position_embeddings": 2048,
        "rms_norm_eps": 1e-06,
        "rope_theta": 1000000.0,
        "rope_scaling": {"type": "mrope", "mrope_section": spec["sections"]},
        "tie_word_embeddings": spec["tied"],
        "bos_token_id": ids["endoftext"],
        "eos_token_id": ids["im_end"],
        "pad_token_id": ids["endoftext"],
        "image_token_id": ids["image_pad"],
        "video_token_id": ids["video_pad"],
        "vision_start_token_id": ids["vision_start"],
        "vision_end_token_id": ids["vision_end"],
        "latent_token_id": ids["latent_pad"],
        "latent_start_id": ids["latent_start"],
        "latent_end_id": ids["latent_end"],
        "latent_size": spec["latents"],
        **text,
        "vision_config": {
            "model_type": "qwen2_5_vl",
            "hidden_act": "silu",
            "in_channels": 3,
            "in_chans": 3,
            "patch_size": 14,
            "spatial_merge_size": 2,
            "temporal_patch_size": 2,
            "tokens_per_second": 2,
            "window_size": spec["window"],
            "out_hidden_size": text["hidden_size"],
            **spec["vision"],
        },
    }


def make_checkpoint(folder, spec, tokenizer, ids, shards=1):
    folder.mkdir()
    write_json(folder / "config.json", config_of(spec, ids))
    write_descriptions(folder, spec, tokenizer, ids)
    state = random_weights(folder, spec["seed"])
    if shards == 1:
        save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
    else:
        names = [f"model-{i + 1:05}-of-{shards:05}.safetensors" for i in range(shards)]
        write_shards(folder, state, names, "model.safetensors.index.json", save_with_format)


def write_descriptions(folder, spec, tokenizer, ids):
    tokenizer.save(str(folder / "tokenizer.json"), pretty=False)
    write_json(
        folder / "tokenizer_config.json",
        {
            "tokenizer_class": "Qwen2TokenizerFast",
            "model_max_length": 2048,
            "eos_token": "<|im_end|>",
            "pad_token": "<|endoftext|>",
            "bos_token": None,
            "unk_token": None,
            "add_prefix_space": False,
            "clean_up_tokenization_spaces": False,
        },
    )
    (folder / "chat_template.jinja").write_text(TEMPLATE)
    write_json(folder / "preprocessor_config.json", PROCESSOR)
    write_json(
        folder / "generation_config.json",
        {
            "bos_token_id": ids["endoftext"],
            "eos_token_id": [ids["im_end"], ids["endoftext"]],
            "pad_token_id": ids["endoftext"],
            "repetition_penalty": spec["penalty"],
        },
    )


def random_weights(folder, seed):
    """By the names of transformers 4.50: matrices of N(0, 1 / inputs), norms about 1, biases about 0."""
    model = Qwen2_5_VLForConditionalGeneration(Qwen2_5_VLConfig.from_pretrained(folder))
    random = torch.Generator().manual_seed(seed)
    state = {}
    for name, tensor in model.state_dict().items():
        if name == "lm_head.weight" and model.config.tie_word_embeddings:
            continue
        values = torch.randn(tensor.shape, generator=random)
        if tensor.ndim == 1:
            values = 0.1 * values + (1 if "norm" in name or "ln_q" in name else 0)
        elif "embed_tokens" in name or "lm_head" in name:
            values = 0.4 * values
        else:
            values = values / tensor[0].numel() ** 0.5
        old = name.replace("model.language_model.", "model.").replace("model.visual.", "visual.")
        state[old] = values.bfloat16().contiguous()
    return state


def make_twins(out, tokenizer):
    """The weights of flat/ as PyTorch's .bin shards, and as upstream saves them today: other names, nested config."""
    from safetensors.torch import load_file

    state = load_file(out / "flat" / "model.safetensors")
    shutil.copytree(out / "flat", out / "bin")
    (out / "bin" / "model.safetensors").unlink()
    names = [f"pytorch_model-{i + 1:05}-of-00002.bin" for i in range(2)]
    write_shards(out / "bin", state, names, "pytorch_model.bin.index.json", torch.save)

    nested = out / "nested"
    model = Qwen2_5_VLForConditionalGeneration.from_pretrained(out / "flat", dtype=torch.bfloat16)
    model.save_pretrained(nested)
    for file in (out / "flat").iterdir():
        if not (nested / file.name).exists():
            shutil.copy(file, nested)
    # Upstream writes the values of the one config that it knows and leaves ILVR's where they are.
    config = json.loads((nested / "config.json").read_text())
    flat = json.loads((out / "flat" / "config.json").read_text())
    config |= {key: value for key, value in flat.items() if key.startswith("latent_")}
    write_json(nested / "config.json", config)


def write_shards(folder, state, names, index, save):
    parts = {name: {} for name in names}
    for i, (key, value) in enumerate(state.items()):
        parts[names[i * len(names) // len(state)]][key] = value
    for name, part in parts.items():
        save(part, folder / name)
    size = sum(value.numel() * value.element_size() for value in state.values())
    places = {key: name for name, part in parts.items() for key in part}
    write_json(folder / index, {"metadata": {"total_size": size}, "weight_map": places})


def save_with_format(part, file):
    save_file(part, file, metadata={"format": "pt"})


def make_adapter(folder, base):
    """A LoRA adapter as PEFT saves it, none of whose factors are zero."""
    from peft import LoraConfig, get_peft_model

    model = Qwen2_5_VLForConditionalGeneration.from_pretrained(base, dtype=torch.float32)
    targets = r".*language_model.*\.(q_proj|k_proj|v_proj|o_proj|up_proj|down_proj|gate_proj)"
    adapted = get_peft_model(model, LoraConfig(r=2, lora_alpha=4, target_modules=targets, task_type="CAUSAL_LM"))
    random = torch.Generator().manual_seed(3)
    for name, parameter in adapted.named_parameters():
        if "lora_" in name:
            parameter.data = 0.2 * torch.randn(parameter.shape, generator=random)
    adapted.save_pretrained(folder)
    (folder / "README.md").unlink(missing_ok=True)
    config = json.loads((folder / "adapter_config.json").read_text())
    write_json(folder / "adapter_config.json", config | {"base_model_name_or_path": "../flat"})


# ---- pictures


def draw_pictures(folder):
    """Pictures of every kind that is read in a way of its own; sizes that are kept, enlarged and shrunk."""
    random = np.random.default_rng(5)

    def noise(height, width, channels=3):
        coarse = random.integers(0, 256, (max(2, height // 8), max(2, width // 8), channels), dtype=np.uint8)
        mode = {1: "L", 3: "RGB", 4: "RGBA"}[channels]
        image = Image.fromarray(coarse.squeeze(), mode)
        return image.resize((width, height), Image.Resampling.BICUBIC)

    def board(cells, size):
        image = Image.new("RGB", (cells * size, cells * size), "white")
        draw = ImageDraw.Draw(image)
        for row in range(cells):
            for column in range(cells):
                left, top = column * size, row * size
                colour = ["#dfe7ee", "#22303c", "#c0392b", "#27ae60"][int(random.integers(0, 4))]
                draw.rectangle([left + 1, top + 1, left + size - 2, top + size - 2], fill=colour)
        return image

    pictures = {
        "board-56x56.png": board(4, 14),
        "board-84x84.png": board(6, 14),
        "helper-112x84.png": board(8, 14).crop((0, 7, 112, 91)),
        "odd-45x61.png": noise(61, 45),
        "tiny-9x11.png": noise(11, 9),
        "gray-40x30.png": noise(30, 40, 1),
        "alpha-50x50.png": noise(50, 50, 4),
        "palette-60x40.png": noise(40, 60).quantize(16),
        "wide-200x20.png": noise(20, 200),
        "photo-110x80.jpg": noise(80, 110),
    }
    for name, image in pictures.items():
        image.save(folder / name, **({"quality": 80} if name.endswith("jpg") else {"optimize": True}))
    return list(pictures)


# ---- answers


def write_preprocess(out, reader, pictures):
    tensors, listed = {}, []
    for name in pictures:
        file = out / "images" / name
        picture, pixels = open_picture(file), reader.resized(file)
        values, grid = reader.picture(file)
        height, width, _ = pixels.shape
        listed.append(
            {"image": name, "size": list(picture.size), "resized": [width, height], "grid_thw": grid[0].tolist()}
        )
        tensors[f"pixels.{name}"] = torch.from_numpy(pixels)
        if name.endswith("jpg"):
            tensors[f"source.{name}"] = torch.from_numpy(np.array(picture))
        if name == "gray-40x30.png":
            tensors[f"pixel_values.{name}"] = values
    sizes = [(28, 28), (56, 56), (100, 37), (37, 100), (1000, 1500), (3, 500), (42, 70), (4000, 3000), (14, 41), (98, 98)]
    budgets = [(3136, 12845056), (3136, 7840), (200704, 1003520)]
    resized = [
        {"height": h, "width": w, "min_pixels": least, "max_pixels": most, "result": list(smart_resize(h, w, 28, least, most))}
        for h, w in sizes
        for least, most in budgets
    ]
    write_json(out / "preprocess.json", {"pictures": listed, "smart_resize": resized})
    save_file(tensors, out / "preprocess.safetensors")


TEXTS = [
    "Find a safe path to the goal.",
    " leading and trailing ",
    "a  b   c",
    "I'll don't WE'VE",
    "12345 3.14 1e-3",
    "tabs\tand\nnew\n\nlines\r\n",
    "système déjà vu é é",
    "推理 视觉 线索",
    "😀 👩‍🔬",
    "\\boxed{LRUD} <image> <|x|>",
    "<|im_start|>user\n<|vision_start|><|image_pad|><|vision_end|>go<|im_end|>",
    "<|latent_start|><|latent_pad|><|latent_end|> end",
]


def write_tokens(out, reader):
    tokenizer = reader.tokenizer
    small = []
    for text in TEXTS:
        ids = tokenizer(text, add_special_tokens=False)["input_ids"]
        decoded = tokenizer.decode(ids, skip_special_tokens=False, clean_up_tokenization_spaces=False)
        small.append({"text": text, "ids": ids, "decoded": decoded})
    write_json(out / "tokens.json", {"small": small})


FORWARD = [
    {"name": "windows", "images": ["helper-112x84.png"], "question": "Where?"},
    {
        "name": "mixed",
        "images": ["odd-45x61.png", "board-56x56.png"],
        "question": "",
        "content": ["First ", 0, " then ", 0, "?"],
    },
    {"name": "text-only", "images": [], "question": "2 + 2?"},
]


def write_forward(out, name, reader):
    folder = out / "forward" / name
    folder.mkdir(parents=True)
    cases = []
    for item in FORWARD if name == "flat" else FORWARD[:2]:
        answer = reader.forward(item, out / "images")
        cases.append(
            item
            | {
                "prompt": answer["text"],
                "input_ids": answer["ids"],
                "image_grid_thw": [grid[0].tolist() for grid in answer["grids"]],
                "rope_delta": answer["delta"],
            }
        )
        tensors = {key: answer[key] for key in ("hidden", "logits", "attention_last")}
        tensors["position_ids"] = answer["positions"].int()
        if item["images"]:
            tensors["image_features"] = answer["features"]
        save(tensors, folder / f"{item['name']}.safetensors")
    write_json(folder / "cases.json", cases)


def write_adapter_logits(out, reader):
    tensors = {item["name"]: reader.forward(item, out / "images")["logits"] for item in FORWARD}
    save(tensors, out / "forward" / "lora-logits.safetensors")


def runs_of(name, ids):
    """Every way through a block, and a run without one. `force` says what the model is made to choose."""
    start, end = ids["latent_start"], ids["latent_end"]
    board = {"images": ["board-56x56.png"], "question": "Find a path.", "max_new_tokens": 18}
    two = {"images": ["odd-45x61.png", "board-56x56.png"], "question": "Which?", "max_new_tokens": 16}
    plain = {"images": [], "question": "Go", "max_new_tokens": 16}
    runs = [
        board | {"name": "forced-two-blocks", "mode": "forced", "force": {"2": start, "10": start}},
        board | {"name": "free-full", "mode": "free", "force": {"1": start, **{str(i): 70 for i in range(2, 9)}}},
        two | {"name": "free-early-end-and-restart", "mode": "free", "force": free_way(start, end)},
        plain | {"name": "text-only-no-block", "mode": "forced", "force": {}},
        plain | {"name": "text-only-cut-in-block", "mode": "free", "force": {"13": start, "14": 70, "15": 70}},
        # The end of a turn ends the run outside a block, and is a pad inside of one.
        board
        | {
            "name": "end-of-turn",
            "mode": "free",
            "force": {"1": start, **{str(i): ids["im_end"] for i in range(2, 9)}, "11": ids["im_end"]},
        },
    ]
    return runs if name == "flat" else runs[:3]


def free_way(start, end):
    return {"1": start, "2": 70, "3": end, "6": start, "7": 70, "8": start, **{str(i): 70 for i in range(9, 13)}}


def write_generate(out, name, reader, ids):
    folder = out / "generate" / name
    folder.mkdir(parents=True)
    cases = []
    for item in runs_of(name, ids):
        item = item | {"repetition_penalty": reader.model.generation_config.repetition_penalty}
        run = reader.generate(item, out / "images")
        gap = run["smallest_gap"]
        assert gap > 1e-3, f"{name}/{item['name']}: two choices are only {gap} apart; take another seed"
        text = reader.tokenizer.decode(run["new_ids"], skip_special_tokens=False, clean_up_tokenization_spaces=False)
        cases.append(
            item
            | {
                "prompt": run["text"],
                "prompt_ids": run["ids"],
                **{key: run[key] for key in ("new_ids", "blocks", "latent_positions")},
                "text": text,
                "smallest_gap": gap,
            }
        )
        tensors = {"logits": torch.stack(run["logits"])}
        if run["latents"]:
            keys = max(attention.shape[-1] for attention in run["latent_attention"])
            pad = [torch.nn.functional.pad(a, (0, keys - a.shape[-1])) for a in run["latent_attention"]]
            tensors |= {"latents": torch.stack(run["latents"]), "latent_attention": torch.stack(pad)}
        save(tensors, folder / f"{item['name']}.safetensors")
    write_json(folder / "cases.json", cases)


TRAINING = [
    {
        "name": "two-blocks",
        "text_input": "<image>Find a path.",
        "image_input": ["board-56x56.png"],
        "sequence_plan": [
            {"type": "text", "content": "Go right."},
            {"type": "latent", "helper_image": "helper-112x84.png"},
            {"type": "text", "content": " Then down. "},
            {"type": "latent", "helper_image": "board-84x84.png"},
            {"type": "text", "content": "\\boxed{RD}"},
        ],
    },
    {
        "name": "block-first",
        "text_input": "Compare <image> and <image>.",
        "image_input": ["odd-45x61.png", "board-56x56.png"],
        "sequence_plan": [
            {"type": "latent", "helper_image": "board-56x56.png"},
            {"type": "latent", "helper_image": "odd-45x61.png"},
            {"type": "text", "content": "Yes"},
        ],
    },
    {
        "name": "no-latents",
        "text_input": "2 + 2?",
        "image_input": [],
        "sequence_plan": [{"type": "text", "content": "4"}],
    },
]

STEPS = {
    "lr": 0.001,
    "warmup_steps": 2,
    "steps": 5,
    "betas": [0.9, 0.999],
    "eps": 1e-08,
    "weight_decay": 0.01,
    "clip": 1.0,
    "schedule": "linear",
    "samples": ["two-blocks", "block-first"],
}


def write_training(out, name, reader):
    folder = out / "training" / name
    folder.mkdir(parents=True)
    images, cases = out / "images", []
    for item in TRAINING:
        values, tensors = training_answers(reader, item, images)
        if not values["target_positions"]:
            del values["target_positions"]
        cases.append(item | values)
        names = KEPT_GRADIENTS + (LARGE_GRADIENTS if item is TRAINING[0] else [])
        kept = [f"{prefix}{key}" for prefix in ("grad.", "stage2.grad.") for key in names]
        save({key: t for key, t in tensors.items() if "grad." not in key or key in kept}, folder / f"{item['name']}.safetensors")
    write_json(folder / "cases.json", cases)
    wanted = {item["name"]: item for item in TRAINING}
    samples = [reader.sample(wanted[sample], images) for sample in STEPS["samples"]]
    write_json(
        folder / "steps.json",
        {
            "settings": STEPS,
            "frozen": reader.steps(samples, STEPS),
            "ema_0_9": reader.steps(samples, STEPS, 0.9),
        },
    )


# Written by hand, by the rules of the released evaluation: see src/dataset/scoring.ts.
MAP = [[1, 0, -1], [0, -1, 0], [0, 0, 2]]


def plan(text, path, success, status):
    return {"map": MAP, "text": text, "path": path, "success": success, "status": status, "invalid": False}


SCORING = {
    "vsp": [
        plan("The final answer is \\boxed{DDRR}.", "DDRR", True, "Reached goal"),
        plan("Final answer: DDR", "DDR", False, "Did not reach goal"),
        plan("final answer is: rr", "rr", False, "Fell into a hole"),
        plan("\\boxed{UULDDRR}", "UULDDRR", True, "Reached goal"),
        plan("\\boxed{DDRRL}", "DDRRL", False, "Did not reach goal"),
        plan("\\boxed{D, D, R, R}", "", False, "Did not reach goal"),
        plan("\\boxed{DDRR} or \\boxed{R}", "DDRR", True, "Reached goal"),
        plan("I think D, D, R, R", "", False, "Did not reach goal"),
        plan("", "", False, "Did not reach goal"),
    ],
    "answers": [
        {"text": "Final answer: Yes", "extracted": "Yes", "normalised": "Yes"},
        {"text": "The answer is: no.", "extracted": "no.", "normalised": "no."},
        {"text": "yes", "extracted": "Yes", "normalised": "Yes"},
        {"text": "I say B", "extracted": "b", "normalised": "No"},
        {"text": "Maybe yes, maybe no", "extracted": "Maybe yes, maybe no", "normalised": "Maybe yes, maybe no"},
        {"text": "Final answer: 42 \nmore", "extracted": "42", "normalised": "42"},
        {"text": "true", "extracted": "true", "normalised": "Yes"},
    ],
}


def save(tensors, file):
    save_file({key: tensor.detach().contiguous() for key, tensor in tensors.items()}, file)


def write_json(file, value):
    file.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    main(sys.argv[1])
