"""Makes the reference answers in test/bases/qwen3-vl: tiny Qwen3-VL checkpoints of random bfloat16 weights, and what
upstream transformers answers with them. The model, its image processor and tokenizer are upstream's; only SwimBird's
loop, which is SkiLa's, is written here. Nothing of this project's TypeScript takes part.

    /tmp/reference/bin/python scripts/reference/qwen3vl.py test/bases/qwen3-vl

The folder is written anew; its layout is that of the README's section on conformance. makeAnswers.py beside this file
says how to make the environment, and makes pictures and tokenizer.
"""

import json
import math
import shutil
import sys
from pathlib import Path

import numpy as np
import torch
from transformers import AutoTokenizer, Qwen3VLConfig, Qwen3VLForConditionalGeneration
from transformers.generation import RepetitionPenaltyLogitsProcessor
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil, smart_resize
from transformers.models.qwen2_vl.image_processing_qwen2_vl import Qwen2VLImageProcessor

import makeAnswers as common
from ilvr import Reader, open_picture

BASE = common.SPECIAL[:14]
LATENT = ["latent", "latent_start", "latent_end"]

# Sizes; heads × head size is not the hidden size, as in Qwen3-VL-4B.
PLAIN = {
    "text": {"hidden_size": 32, "intermediate_size": 40, "num_hidden_layers": 4, "num_attention_heads": 4, "head_dim": 16},
    "sections": [4, 2, 2],
    "vision": {
        "depth": 3,
        "hidden_size": 16,
        "num_heads": 2,
        "intermediate_size": 24,
        "deepstack_visual_indexes": [0, 2],
        "num_position_embeddings": 25,
    },
    "tied": False,
    "penalty": 1.0,
    "seed": 1,
}
TIED = {
    "text": {"hidden_size": 24, "intermediate_size": 32, "num_hidden_layers": 3, "num_attention_heads": 2, "head_dim": 32},
    "sections": [6, 5, 5],
    "vision": {
        "depth": 2,
        "hidden_size": 16,
        "num_heads": 1,
        "intermediate_size": 20,
        "deepstack_visual_indexes": [1],
        "num_position_embeddings": 16,
    },
    "tied": True,
    "penalty": 1.05,
    "seed": 2,
}
SWIMBIRD = PLAIN | {"seed": 3, "latents": 2, "penalty": 1.05}

PROCESSOR = {
    "image_processor_type": "Qwen2VLImageProcessor",
    "processor_class": "Qwen3VLProcessor",
    "size": {"shortest_edge": 4096, "longest_edge": 12288},
    "patch_size": 16,
    "temporal_patch_size": 2,
    "merge_size": 2,
    "image_mean": [0.5, 0.5, 0.5],
    "image_std": [0.5, 0.5, 0.5],
}

PICTURES = ["board-84x84.png", "odd-45x61.png", "gray-40x30.png", "wide-200x20.png"]


class Qwen3Reader(Reader):
    """A checkpoint's folder, opened by upstream, in float32. Features are (tokens, levels + 1, hidden)."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.model = Qwen3VLForConditionalGeneration.from_pretrained(
            folder, dtype=torch.float32, attn_implementation="eager"
        ).eval()
        self.tokenizer = AutoTokenizer.from_pretrained(folder)
        self.processor = Qwen2VLImageProcessorPil.from_pretrained(folder)
        self.config = self.model.config
        end_ids = self.model.generation_config.eos_token_id
        self.end_ids = [end_ids] if isinstance(end_ids, int) else end_ids

    def features(self, file):
        pixels, grid = self.picture(file)
        with torch.no_grad():
            out = self.model.model.get_image_features(pixels, grid)
        levels = [torch.cat(tuple(out.pooler_output)), *(torch.cat(tuple(each)) for each in out.deepstack_features)]
        return torch.stack(levels, dim=1), grid

    def embed(self, ids, features):
        return super().embed(ids, None if features is None else features[:, 0].contiguous())

    def read(self, embeddings, positions, attentions=False, ids=None, features=None):
        added = {}
        if features is not None:
            mask = torch.zeros(1, len(embeddings), dtype=torch.bool)
            mask[0, : len(ids)] = torch.tensor(ids) == self.config.image_token_id
            added = {"visual_pos_masks": mask, "deepstack_visual_embeds": list(features[:, 1:].unbind(1))}
        out = self.model.model.language_model(
            inputs_embeds=embeddings[None],
            position_ids=positions[:, None, : len(embeddings)],
            output_attentions=attentions,
            use_cache=False,
            **added,
        )
        return out.last_hidden_state[0], torch.stack([a[0] for a in out.attentions]) if attentions else None

    @torch.no_grad()
    def forward(self, item, images):
        prompt = self.prompt(item, images)
        embeddings = self.embed(prompt["ids"], prompt["features"])
        hidden, attention = self.read(embeddings, prompt["positions"], True, prompt["ids"], prompt["features"])
        logits = self.model.lm_head(hidden)
        self.check_whole(prompt, item, images, logits)
        return {**prompt, "hidden": hidden, "logits": logits, "attention_last": attention[:, :, -1]}

    def whole(self, prompt, item, images):
        """What upstream's own forward and generate are given."""
        ids = torch.tensor([prompt["ids"]])
        inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
        if item["images"]:
            pixels = [self.picture(images / name)[0] for name in item["images"]]
            inputs |= {"pixel_values": torch.cat(pixels), "image_grid_thw": torch.cat(prompt["grids"])}
            inputs["mm_token_type_ids"] = (ids == self.config.image_token_id).int()
        return inputs

    def check_whole(self, prompt, item, images, logits):
        """That the parts above are put together as upstream does."""
        self.model.model.rope_deltas = None
        out = self.model(**self.whole(prompt, item, images)).logits[0]
        assert float((out - logits).abs().max()) < 1e-5, item["name"]

    @torch.no_grad()
    def run(self, item, images, latents=None):
        """
        A greedy run. `latents`: SwimBird's ids and K. After start the state after the final norm is fed at each pad;
        the model's end, or 2 K pads, end the block; all else chosen inside becomes a pad.
        """
        prompt = self.prompt(item, images)
        ids, new = list(prompt["ids"]), []
        embeddings, positions = self.embed(ids, prompt["features"]), prompt["positions"]
        penalty = RepetitionPenaltyLogitsProcessor(item["repetition_penalty"])
        run = {"blocks": [], "latents": [], "latent_positions": [], "latent_attention": [], "logits": []}
        gap, open_since, count, was_fed = math.inf, None, 0, False
        while len(new) < item["max_new_tokens"]:
            hidden, attention = self.read(embeddings, positions, True, prompt["ids"], prompt["features"])
            if was_fed:
                run["latent_attention"].append(attention[:, :, -1])
            logits = self.model.lm_head(hidden[-1])
            run["logits"].append(logits)
            scores = penalty(torch.tensor([ids]), logits[None].clone())[0]
            choice = item["force"].get(str(len(new)))
            if choice is None:
                if open_since is None or count < 2 * latents["K"]:
                    best, second = scores.topk(2).values
                    gap = min(gap, float(best - second))
                choice = int(scores.argmax())
            is_latent = open_since is not None and choice != latents["end"] and count < 2 * latents["K"]
            if open_since is not None and not is_latent:
                choice = latents["end"]
                if count > 0:
                    block = {"start": open_since, "latents": count, "next": len(new), "end": len(new)}
                    run["blocks"].append(block)
                open_since = None
            elif is_latent:
                choice, count = latents["pad"], count + 1
            elif latents is not None and choice == latents["start"]:
                open_since, count = len(new), 0
            new.append(choice)
            ids.append(choice)
            if (not is_latent and choice in self.end_ids) or len(new) == item["max_new_tokens"]:
                break
            if is_latent:
                run["latents"].append(hidden[-1])
                run["latent_positions"].append(len(ids) - 1)
            was_fed = is_latent
            row = hidden[-1][None] if is_latent else self.embed([choice], None)
            embeddings = torch.cat([embeddings, row])
            place = len(ids) - 1 + prompt["delta"]
            positions = torch.cat([positions, torch.full((3, 1), place)], dim=1)
        if open_since is not None and run["latents"]:
            # The run ended inside: the last pad was never fed.
            fed = len(new) - 1 - (open_since + 1)
            run["blocks"].append({"start": open_since, "latents": fed, "next": len(new) - 1})
        if latents is None and not item["force"]:
            self.check_generate(prompt, item, images, new)
        return {**prompt, **run, "new_ids": new, "smallest_gap": gap}

    def check_generate(self, prompt, item, images, new):
        self.model.model.rope_deltas = None
        out = self.model.generate(
            **self.whole(prompt, item, images),
            max_new_tokens=item["max_new_tokens"],
            do_sample=False,
            repetition_penalty=item["repetition_penalty"],
        )
        assert out[0, len(prompt["ids"]) :].tolist() == new, item["name"]


def main(out):
    out = Path(out)
    if out.exists():
        shutil.rmtree(out)
    images = out / "images"
    images.mkdir(parents=True)
    common.draw_pictures(images)
    for file in images.iterdir():
        if file.name not in PICTURES:
            file.unlink()
    make_checkpoint(out / "untied", PLAIN)
    make_checkpoint(out / "tied", TIED)
    make_checkpoint(out / "swimbird", SWIMBIRD)
    write_preprocess(out, Qwen3Reader(out / "untied"))
    common.write_tokens(out, Qwen3Reader(out / "untied"))
    for name in ("untied", "tied"):
        reader = Qwen3Reader(out / name)
        write_forward(out, name, reader)
        write_runs(out, name, reader, PLAIN_RUNS)
    write_runs(out, "swimbird", Qwen3Reader(out / "swimbird"), SWIMBIRD_RUNS)
    size = sum(file.stat().st_size for file in out.rglob("*") if file.is_file())
    print(f"{size} bytes in {out}")


def make_checkpoint(folder, spec):
    folder.mkdir()
    names = BASE + (LATENT if "latents" in spec else [])
    tokenizer = common.make_tokenizer(names)
    ids = {name: tokenizer.token_to_id(f"<|{name}|>") for name in names}
    common.write_json(folder / "config.json", config_of(spec, ids))
    common.write_descriptions(folder, spec, tokenizer, ids)
    common.write_json(folder / "preprocessor_config.json", PROCESSOR)
    state = random_weights(folder, spec["seed"])
    common.save_with_format(state, folder / "model.safetensors")


def config_of(spec, ids):
    """config.json as transformers 4.57 writes it: nested, rope_scaling and rope_theta."""
    latents = {}
    if "latents" in spec:
        latents = {
            "latent_id": ids["latent"],
            "latent_start_id": ids["latent_start"],
            "latent_end_id": ids["latent_end"],
            "max_latent_token": spec["latents"],
        }
    return {
        "architectures": ["Qwen3VLForConditionalGeneration"],
        "model_type": "qwen3_vl",
        "image_token_id": ids["image_pad"],
        "video_token_id": ids["video_pad"],
        "vision_start_token_id": ids["vision_start"],
        "vision_end_token_id": ids["vision_end"],
        "tie_word_embeddings": spec["tied"],
        **latents,
        "text_config": {
            "model_type": "qwen3_vl_text",
            "dtype": "bfloat16",
            "attention_bias": False,
            "attention_dropout": 0.0,
            "bos_token_id": ids["endoftext"],
            "eos_token_id": ids["im_end"],
            "vocab_size": common.VOCABULARY,
            "num_key_value_heads": 2,
            "hidden_act": "silu",
            "max_position_embeddings": 2048,
            "rms_norm_eps": 1e-06,
            # Small, so that every frequency turns within a short prompt.
            "rope_theta": 100,
            "rope_scaling": {"mrope_interleaved": True, "mrope_section": spec["sections"], "rope_type": "default"},
            **spec["text"],
        },
        "vision_config": {
            "model_type": "qwen3_vl",
            "hidden_act": "gelu_pytorch_tanh",
            "in_channels": 3,
            "patch_size": 16,
            "spatial_merge_size": 2,
            "temporal_patch_size": 2,
            "out_hidden_size": spec["text"]["hidden_size"],
            **spec["vision"],
        },
        "transformers_version": "4.57.0",
    }


def random_weights(folder, seed):
    """Matrices of N(0, 1 / inputs), norms about 1, biases about 0; learned positions as large as what they are added to."""
    model = Qwen3VLForConditionalGeneration(Qwen3VLConfig.from_pretrained(folder))
    random = torch.Generator().manual_seed(seed)
    state = {}
    for name, tensor in model.state_dict().items():
        if name == "lm_head.weight" and model.config.tie_word_embeddings:
            continue
        values = torch.randn(tensor.shape, generator=random)
        if tensor.ndim == 1:
            values = 0.1 * values + (1 if "norm" in name and name.endswith("weight") else 0)
        elif "embed_tokens" in name or "lm_head" in name:
            values = 0.4 * values
        elif "pos_embed" in name:
            values = 0.5 * values
        else:
            values = values / tensor[0].numel() ** 0.5
        state[name] = values.bfloat16().contiguous()
    return state


def write_preprocess(out, reader):
    tensors, listed = {}, []
    other = Qwen2VLImageProcessor.from_pretrained(reader.folder)
    for name in PICTURES:
        file = out / "images" / name
        picture, pixels = open_picture(file), reader.resized(file)
        values, grid = reader.picture(file)
        height, width, _ = pixels.shape
        listed.append(
            {"image": name, "size": list(picture.size), "resized": [width, height], "grid_thw": grid[0].tolist()}
        )
        tensors[f"pixels.{name}"] = torch.from_numpy(pixels)
        if name == "gray-40x30.png":
            tensors[f"pixel_values.{name}"] = values
        apart = (other(images=[picture], return_tensors="pt")["pixel_values"] - values).abs().max()
        print(f"{name}: torchvision's resizing differs by up to {float(apart) * 127.5:.1f} of 255")
    sizes = [(28, 28), (64, 64), (100, 37), (37, 100), (1000, 1500), (3, 500), (48, 80), (4000, 3000), (16, 47), (98, 98)]
    budgets = [(65536, 16777216), (4096, 12288)]
    resized = [
        {"height": h, "width": w, "min_pixels": least, "max_pixels": most, "result": list(smart_resize(h, w, 32, least, most))}
        for h, w in sizes
        for least, most in budgets
    ]
    common.write_json(out / "preprocess.json", {"pictures": listed, "smart_resize": resized})
    common.save(tensors, out / "preprocess.safetensors")


FORWARD = [
    {
        "name": "two-pictures",
        "images": ["odd-45x61.png", "wide-200x20.png"],
        "question": "",
        "content": ["First ", 0, " then ", 0, "?"],
    },
    {"name": "text-only", "images": [], "question": "2 + 2?"},
]


def write_forward(out, name, reader):
    folder = out / "forward" / name
    folder.mkdir(parents=True)
    cases = []
    for item in FORWARD if name == "untied" else FORWARD[:1]:
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
            tensors["image_features"] = answer["features"][:, 0]
            tensors["deepstack_features"] = answer["features"][:, 1:]
        common.save(tensors, folder / f"{item['name']}.safetensors")
    common.write_json(folder / "cases.json", cases)


PLAIN_RUNS = [
    {"name": "picture", "images": ["board-84x84.png"], "question": "Find a path.", "max_new_tokens": 14, "force": {}},
    {"name": "text-only", "images": [], "question": "Hi", "max_new_tokens": 10, "force": {}},
]
# start, pad and end in `force` are replaced by their ids.
SWIMBIRD_RUNS = [
    {
        "name": "end-token-then-full",
        "images": ["board-84x84.png"],
        "question": "Find a path.",
        "max_new_tokens": 20,
        "force": {"1": "start", "2": 70, "3": "start", "4": "im_end", "5": "end", "9": "start", **{str(i): 70 for i in range(10, 14)}},
    },
    {
        "name": "empty-block-and-limit-inside",
        "images": ["odd-45x61.png", "board-84x84.png"],
        "question": "Which?",
        "max_new_tokens": 12,
        "force": {"1": "start", "2": "end", "8": "start", "9": 70, "10": 70, "11": 70},
    },
]


def write_runs(out, name, reader, runs):
    folder = out / "generate" / name
    folder.mkdir(parents=True)
    raw = json.loads((out / name / "config.json").read_text())
    latents = None
    if "max_latent_token" in raw:
        latents = {"pad": raw["latent_id"], "start": raw["latent_start_id"], "end": raw["latent_end_id"]}
        latents["K"] = raw["max_latent_token"]
    named = {"im_end": reader.tokenizer.convert_tokens_to_ids("<|im_end|>"), **(latents or {})}
    cases = []
    for item in runs:
        force = {at: named.get(value, value) for at, value in item["force"].items()}
        penalty = reader.model.generation_config.repetition_penalty
        item = item | {"force": force, "repetition_penalty": penalty}
        run = reader.run(item, out / "images", latents)
        gap = run["smallest_gap"]
        assert gap > 1e-3, f"{name}/{item['name']}: two choices are only {gap} apart; take another seed"
        text = reader.tokenizer.decode(run["new_ids"], skip_special_tokens=False, clean_up_tokenization_spaces=False)
        kind = {"mode": "forced"} if latents is None else {"family": "SwimBird"}
        if latents is not None:
            kind["grids"] = [grid[0].tolist() for grid in run["grids"]]
        cases.append(
            kind
            | item
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
        common.save(tensors, folder / f"{item['name']}.safetensors")
    common.write_json(folder / "cases.json", cases)


if __name__ == "__main__":
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    main(sys.argv[1])
