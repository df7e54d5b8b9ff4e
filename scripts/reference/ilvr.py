"""ILVR (arXiv 2512.05665) around upstream transformers' Qwen2.5-VL: prompts, forward passes, greedy runs with
latent blocks, and the training of both stages by autograd. The model, its image processor and tokenizer are
upstream's; only what ILVR adds is written here, by the description in the paper and the released code.

    python scripts/reference/ilvr.py ANSWERS

compares it with a folder of answers that the released code gave: the ids, latents and logits of generate/, the
selections, losses and gradients of training/. Nothing is cached: every step reads the whole sequence again.
"""

import copy
import json
import math
import sys
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file
from transformers import AutoTokenizer, Qwen2_5_VLForConditionalGeneration, get_scheduler
from transformers.generation import RepetitionPenaltyLogitsProcessor
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

IGNORED = -100
CANDIDATE_LIMIT = 256
COVERAGE = 0.9


class Reader:
    """A checkpoint's folder, opened by upstream, in float32."""

    def __init__(self, folder, adapter=None):
        self.folder = Path(folder)
        self.model = Qwen2_5_VLForConditionalGeneration.from_pretrained(
            folder, dtype=torch.float32, attn_implementation="eager"
        ).eval()
        if adapter is not None:
            from peft import PeftModel

            self.model = PeftModel.from_pretrained(self.model, adapter).get_base_model().eval()
        self.tokenizer = AutoTokenizer.from_pretrained(folder)
        self.processor = Qwen2VLImageProcessorPil.from_pretrained(folder)
        self.config = self.model.config
        raw = json.loads((self.folder / "config.json").read_text())
        self.pad, self.start, self.end = (
            raw[f"latent_{name}_id"] for name in ("token", "start", "end")
        )
        self.latent_size = raw["latent_size"]
        end_ids = self.model.generation_config.eos_token_id
        self.end_ids = [end_ids] if isinstance(end_ids, int) else end_ids

    # ---- pictures

    def picture(self, file):
        """Patches [n, 1176] and grid (1, h, w) of a picture file."""
        read = self.processor(images=[open_picture(file)], return_tensors="pt")
        return read["pixel_values"], read["image_grid_thw"]

    def resized(self, file):
        """The resized pixels [h, w, 3], as the processor has them before it rescales."""
        pixels = np.asarray(open_picture(file)).transpose(2, 0, 1)
        factor = self.processor.patch_size * self.processor.merge_size
        out = self.processor.resize(pixels, self.processor.size, self.processor.resample, factor=factor)
        return np.ascontiguousarray(np.asarray(out).transpose(1, 2, 0)).astype(np.uint8)

    def features(self, file):
        """Merged features [tokens, hidden] and the grid."""
        pixels, grid = self.picture(file)
        with torch.no_grad():
            out = self.model.model.get_image_features(pixels, grid).pooler_output
        return torch.cat(tuple(out)), grid

    # ---- sequences

    def ids_of(self, messages, grids, add_generation_prompt):
        """The rendered text, and its ids with a pad for each merged token of a picture."""
        text = self.tokenizer.apply_chat_template(
            messages, tokenize=False, add_generation_prompt=add_generation_prompt
        )
        pad = self.tokenizer.convert_ids_to_tokens(self.config.image_token_id)
        expanded = text.split(pad)
        assert len(expanded) == len(grids) + 1
        counts = [int(grid.prod()) // self.processor.merge_size**2 for grid in grids]
        whole = expanded[0] + "".join(pad * n + part for n, part in zip(counts, expanded[1:]))
        return text, self.tokenizer(whole, add_special_tokens=False)["input_ids"]

    def positions_of(self, ids, grids):
        """[3, T] and the difference between the next position and T."""
        tokens = torch.tensor([ids])
        kinds = (tokens == self.config.image_token_id).int()
        grid = torch.cat(grids) if grids else None
        positions, delta = self.model.model.get_rope_index(tokens, kinds, image_grid_thw=grid)
        return positions[:, 0], int(delta)

    def embed(self, ids, features):
        """[T, hidden] with the pictures' features at their pads."""
        tokens = torch.tensor(ids)
        out = self.model.get_input_embeddings()(tokens)
        if features is not None:
            at = (tokens == self.config.image_token_id).unsqueeze(-1).expand_as(out)
            out = out.masked_scatter(at, features)
        return out

    def read(self, embeddings, positions, attentions=False):
        """Hidden states [T, hidden] after the final norm, and attention [layers, heads, T, T] if asked for."""
        out = self.model.model.language_model(
            inputs_embeds=embeddings[None],
            position_ids=positions[:, None, : len(embeddings)],
            output_attentions=attentions,
            use_cache=False,
        )
        return out.last_hidden_state[0], torch.stack([a[0] for a in out.attentions]) if attentions else None

    # ---- what is asked of a model

    def prompt(self, item, images):
        """`item` says the question and its pictures: before the text, or in the order of `content` (0 is one)."""
        content = item.get("content") or [0] * len(item["images"]) + [item["question"]]
        parts = [{"type": "image"} if part == 0 else {"type": "text", "text": part} for part in content]
        seen = [self.features(images / name) for name in item["images"]]
        grids = [grid for _, grid in seen]
        text, ids = self.ids_of([{"role": "user", "content": parts}], grids, True)
        features = torch.cat([f for f, _ in seen]) if seen else None
        positions, delta = self.positions_of(ids, grids)
        return {"text": text, "ids": ids, "grids": grids, "features": features, "positions": positions, "delta": delta}

    @torch.no_grad()
    def forward(self, item, images):
        prompt = self.prompt(item, images)
        hidden, attention = self.read(self.embed(prompt["ids"], prompt["features"]), prompt["positions"], True)
        return {**prompt, "hidden": hidden, "logits": self.model.lm_head(hidden), "attention_last": attention[:, :, -1]}

    @torch.no_grad()
    def generate(self, item, images):
        """
        A greedy run. A block is start, pads at which the state after the final norm of the position before is fed,
        end. forced: exactly K pads, then end; pad and end are banned outside. free: the model's end leaves the block
        early, its start begins it again, anything else becomes a pad; after K pads comes end all the same.
        """
        prompt = self.prompt(item, images)
        ids, new = list(prompt["ids"]), []
        embeddings = self.embed(ids, prompt["features"])
        positions = prompt["positions"]
        penalty = RepetitionPenaltyLogitsProcessor(item["repetition_penalty"])
        forced = item["mode"] == "forced"
        run = {"blocks": [], "latents": [], "latent_positions": [], "latent_attention": [], "logits": []}
        smallest_gap = math.inf
        block = None
        while len(new) < item["max_new_tokens"]:
            hidden, attention = self.read(embeddings, positions, True)
            if block is not None and new[-1] == self.pad:
                run["latent_attention"].append(attention[:, :, -1])
            logits = self.model.lm_head(hidden[-1])
            run["logits"].append(logits)
            scores = penalty(torch.tensor([ids]), logits[None].clone())[0]
            if block is None and forced:
                scores[[self.pad, self.end]] = -math.inf
            choice = int(item["force"].get(str(len(new)), scores.argmax()))
            decides = block is None or (not forced and block["latents"] < self.latent_size)
            if decides and str(len(new)) not in item["force"]:
                best, second = scores.topk(2).values
                smallest_gap = min(smallest_gap, float(best - second))
            fed = None
            if block is None:
                chosen = choice
                if chosen == self.start:
                    block = {"start": len(new), "latents": 0}
                    run["blocks"].append(block)
            elif block["latents"] == self.latent_size or (not forced and choice == self.end):
                chosen = self.end
                block["end"] = len(new)
                block = None
            elif not forced and choice == self.start:
                chosen = choice
                block = {"start": len(new), "latents": 0}
                run["blocks"].append(block)
            else:
                chosen, fed = self.pad, hidden[-1]
                block["latents"] += 1
            new.append(chosen)
            ids.append(chosen)
            if (block is None and chosen in self.end_ids) or len(new) == item["max_new_tokens"]:
                break
            if fed is not None:
                run["latents"].append(fed)
                run["latent_positions"].append(len(ids) - 1)
            row = self.embed([chosen], None) if fed is None else fed[None]
            embeddings = torch.cat([embeddings, row])
            place = len(ids) - 1 + prompt["delta"]
            positions = torch.cat([positions, torch.full((3, 1), place)], dim=1)
        return {**prompt, **run, "new_ids": new, "smallest_gap": smallest_gap}

    # ---- training

    def sample(self, item, images):
        """A sample of the official format as ids and labels, with the features of its pictures."""
        parts, names = [], list(item["image_input"])
        for i, text in enumerate(item["text_input"].split("<image>")):
            if i > 0:
                parts.append({"type": "image"})
            if text:
                parts.append({"type": "text", "text": text})
        tokens = self.tokenizer.convert_ids_to_tokens
        block = tokens(self.start) + tokens(self.pad) * self.latent_size + tokens(self.end)
        answer = "".join(step["content"] if step["type"] == "text" else block for step in item["sequence_plan"])
        messages = [{"role": "user", "content": parts}, {"role": "assistant", "content": answer}]
        seen = [self.features(images / name) for name in names]
        helpers = [self.features(images / s["helper_image"]) for s in item["sequence_plan"] if s["type"] == "latent"]
        grids = [grid for _, grid in seen]
        _, ids = self.ids_of(messages, grids, False)
        opening = self.tokenizer("<|im_start|>assistant", add_special_tokens=False)["input_ids"]
        turn = max(i for i in range(len(ids)) if ids[i : i + len(opening)] == opening)
        learnt = turn + len(opening)
        return {
            "ids": ids,
            "labels": [i if n >= learnt and i != self.pad else IGNORED for n, i in enumerate(ids)],
            "turn": turn,
            "blocks": [n + 1 for n, i in enumerate(ids) if i == self.start],
            "positions": self.positions_of(ids, grids)[0],
            "features": torch.cat([f for f, _ in seen]) if seen else None,
            "grids": grids,
            "helpers": helpers,
        }

    @torch.no_grad()
    def supervise(self, sample):
        """What the teacher, this model, selects for each block: context u, cosines, indices, targets."""
        ids = torch.tensor(sample["ids"])
        hidden, _ = self.read(self.embed(sample["ids"], sample["features"]), sample["positions"])
        config = self.config
        vision = torch.tensor([config.image_token_id, config.vision_start_token_id, config.vision_end_token_id])
        in_prompt = torch.arange(len(ids)) < sample["turn"]
        text, image = in_prompt & ~torch.isin(ids, vision), in_prompt & (ids == config.image_token_id)
        parts = [hidden[text].mean(0)]
        if image.any():
            attention = self.model.model.language_model.layers[-1].self_attn
            size = attention.head_dim
            queries = attention.q_proj(hidden[text]).unflatten(-1, (-1, size)).transpose(0, 1)
            keys = attention.k_proj(hidden[image]).unflatten(-1, (-1, size)).transpose(0, 1)
            keys = keys.repeat_interleave(len(queries) // len(keys), dim=0)
            weights = (queries @ keys.transpose(1, 2) / math.sqrt(size)).softmax(-1).mean((0, 1))
            parts.append(weights @ hidden[image])
        context = torch.stack(parts).mean(0)
        blocks, since = [], sample["turn"]
        for first, (features, _) in zip(sample["blocks"], sample["helpers"]):
            written = hidden[since : first - 1]
            since = first + self.latent_size + 1
            query = [context, *([written.mean(0)] if len(written) else [])]
            query += [blocks[-1]["targets"].mean(0)] if blocks else []
            candidates = features
            if len(features) >= CANDIDATE_LIMIT:
                size = len(features) // CANDIDATE_LIMIT
                candidates = features[: CANDIDATE_LIMIT * size].unflatten(0, (CANDIDATE_LIMIT, size)).mean(1)
            cosines = torch.cosine_similarity(torch.stack(query).mean(0)[None], candidates, dim=-1)
            order = cosines.argsort(descending=True, stable=True)
            covered = cosines.softmax(0)[order].cumsum(0)
            count = min(int((covered < COVERAGE).sum()) + 1, self.latent_size, len(order))
            blocks.append({"cosines": cosines, "selected": order[:count].tolist(), "targets": candidates[order[:count]]})
        return context, blocks

    def stage1(self, sample, blocks):
        """Cross-entropy and alignment, with the teacher's targets fed at the first pads of each block."""
        places = [first + i for first, b in zip(sample["blocks"], blocks) for i in range(len(b["targets"]))]
        embeddings = self.embed(sample["ids"], sample["features"])
        if places:
            targets = torch.cat([b["targets"] for b in blocks])
            embeddings = embeddings.index_copy(0, torch.tensor(places), targets)
        hidden, _ = self.read(embeddings, sample["positions"])
        alignment = torch.zeros(())
        if places:
            before = hidden[torch.tensor(places) - 1]
            alignment = 1 - torch.cosine_similarity(before, targets, dim=-1).mean()
        return self.cross_entropy(hidden, sample), alignment, places

    def stage2(self, sample):
        """Cross-entropy with the model's own states fed at the pads, and all hidden states."""
        rows = list(self.embed(sample["ids"], sample["features"]))
        for first in sample["blocks"]:
            for place in range(first, first + self.latent_size):
                rows[place] = self.read(torch.stack(rows[:place]), sample["positions"])[0][-1]
        hidden, _ = self.read(torch.stack(rows), sample["positions"])
        return self.cross_entropy(hidden, sample), hidden

    def cross_entropy(self, hidden, sample):
        logits = self.model.lm_head(hidden[:-1])
        return torch.nn.functional.cross_entropy(logits, torch.tensor(sample["labels"][1:]), ignore_index=IGNORED)

    def learnt(self):
        """What is trained, the language model, by the names of transformers 4.50."""
        return {
            name.replace("model.language_model.", "model."): parameter
            for name, parameter in self.model.named_parameters()
            if not name.startswith("model.visual.")
        }

    def gradients(self, loss):
        """By name, and the norm of all."""
        parameters = self.learnt()
        found = torch.autograd.grad(loss, list(parameters.values()), allow_unused=True)
        gradients = {n: g for n, g in zip(parameters, found) if g is not None}
        return gradients, float(torch.stack([g.norm() for g in gradients.values()]).norm())

    def steps(self, samples, settings, teacher_decay=None):
        """AdamW over all samples in each step; the teacher stays (None) or follows as a moving average."""
        student, teacher = copy.deepcopy(self), copy.deepcopy(self)
        parameters = student.learnt()
        matrices = [p for p in parameters.values() if p.ndim > 1]
        others = [p for p in parameters.values() if p.ndim == 1]
        groups = [
            {"params": matrices, "weight_decay": settings["weight_decay"]},
            {"params": others, "weight_decay": 0.0},
        ]
        optimiser = torch.optim.AdamW(groups, lr=settings["lr"], betas=settings["betas"], eps=settings["eps"])
        schedule = get_scheduler(
            settings["schedule"], optimiser, num_warmup_steps=settings["warmup_steps"], num_training_steps=settings["steps"]
        )
        log = []
        for step in range(settings["steps"]):
            optimiser.zero_grad()
            losses = []
            for sample in samples:
                ce, alignment, _ = student.stage1(sample, teacher.supervise(sample)[1])
                ((ce + alignment) / len(samples)).backward()
                losses.append([ce.item(), alignment.item()])
            norm = float(torch.nn.utils.clip_grad_norm_(parameters.values(), settings["clip"]))
            log.append({"step": step, "lr": schedule.get_last_lr()[0], "losses": losses, "gradient_norm": norm})
            optimiser.step()
            schedule.step()
            if teacher_decay is not None:
                with torch.no_grad():
                    for name, average in teacher.learnt().items():
                        average.mul_(teacher_decay).add_(parameters[name], alpha=1 - teacher_decay)
        return log


def open_picture(file):
    return Image.open(file).convert("RGB")


def training_answers(reader, item, images):
    """All that a training case holds: values for its JSON, and tensors."""
    sample = reader.sample(item, images)
    context, blocks = reader.supervise(sample)
    ce, alignment, places = reader.stage1(sample, blocks)
    gradients, norm = reader.gradients(ce + alignment)
    loss2, hidden2 = reader.stage2(sample)
    gradients2, norm2 = reader.gradients(loss2)
    values = {
        "input_ids": sample["ids"],
        "labels": sample["labels"],
        "image_grid_thw": [grid[0].tolist() for grid in sample["grids"]],
        "helper_grid_thw": [grid[0].tolist() for _, grid in sample["helpers"]],
        "selected": [b["selected"] for b in blocks],
        "target_positions": places,
        "ce": ce.item(),
        "alignment": alignment.item(),
        "loss": (ce + alignment).item(),
        "gradient_norm": norm,
        "stage2_loss": loss2.item(),
        "stage2_gradient_norm": norm2,
    }
    tensors = {"stage2.hidden": hidden2.detach()}
    if blocks:
        tensors |= {"context_query_u": context, "targets": torch.cat([b["targets"] for b in blocks])}
    tensors |= {f"similarity.{i}": b["cosines"] for i, b in enumerate(blocks)}
    tensors |= {f"grad.{name}": g for name, g in gradients.items()}
    tensors |= {f"stage2.grad.{name}": g for name, g in gradients2.items()}
    return values, tensors


def check(folder):
    """Prints the largest difference to each of the folder's answers. @returns whether all agree"""
    folder, agree = Path(folder), True

    def tell(name, exact, errors):
        nonlocal agree
        worst = max(errors.values(), default=0.0)
        # What is fed back magnifies the last digits of float32 (docs/log.md).
        agree &= exact and all(e < (1e-2 if name.startswith("stage2") else 1e-3) for name, e in errors.items())
        print(f"{name}: {'ids and choices equal' if exact else 'DIFFERENT'}, largest error {worst:.1e}", flush=True)

    for cases in sorted(folder.glob("generate/*/cases.json")):
        reader = Reader(folder / cases.parent.name)
        for item in json.loads(cases.read_text()):
            run = reader.generate(item, folder / "images")
            stored = load_file(cases.parent / f"{item['name']}.safetensors")
            exact = all(run[key] == item[key] for key in ("new_ids", "blocks", "latent_positions"))
            errors = {"latents": difference(run["latents"], stored.get("latents"))}
            count = len(stored["logits"])
            chosen = torch.isfinite(stored["logits"])
            mine = torch.stack(run["logits"][:count])
            # The released processor writes its bans into the logits that it was given.
            whole = chosen.sum(1) > 1
            errors["logits"] = float((mine - stored["logits"])[whole][chosen[whole]].abs().max())
            for i, attention in enumerate(run["latent_attention"]):
                expected = stored["latent_attention"][i][..., : attention.shape[-1]]
                errors[f"attention {i}"] = float((attention - expected).abs().max())
            tell(f"generate/{cases.parent.name}/{item['name']}", exact, errors)
    for cases in sorted(folder.glob("training/*/cases.json")):
        reader = Reader(folder / cases.parent.name)
        items = json.loads(cases.read_text())
        for item in items:
            values, tensors = training_answers(reader, item, folder / "images")
            stored = load_file(cases.parent / f"{item['name']}.safetensors")
            exact = all(values[k] == item.get(k, []) for k in values if isinstance(values[k], list))
            errors = {k: abs(values[k] / item[k] - 1) for k in values if isinstance(values[k], float) and item[k]}
            for name, expected in stored.items():
                errors[name] = float((tensors[name] - expected).abs().max() / expected.abs().max())
            tell(f"training/{cases.parent.name}/{item['name']}", exact, errors)
        steps = json.loads((cases.parent / "steps.json").read_text())
        wanted = {item["name"]: item for item in items}
        samples = [reader.sample(wanted[name], folder / "images") for name in steps["settings"]["samples"]]
        for name, decay in (("frozen", None), ("ema_0_9", 0.9)):
            log = reader.steps(samples, steps["settings"], decay)
            mine, theirs = (
                np.array([[s["lr"], s["gradient_norm"], *np.ravel(s["losses"])] for s in each]) for each in (log, steps[name])
            )
            errors = {"steps": float(np.max(np.abs(mine - theirs) / np.where(theirs == 0, 1, np.abs(theirs))))}
            tell(f"training/{cases.parent.name}/steps/{name}", True, errors)
    return agree


def difference(vectors, expected):
    if not vectors:
        return 0.0 if expected is None or len(expected) == 0 else math.inf
    return float((torch.stack(vectors) - expected).abs().max())


if __name__ == "__main__":
    torch.set_num_threads(2)
    sys.exit(0 if check(sys.argv[1]) else 1)
