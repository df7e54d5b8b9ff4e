"""Whether upstream transformers loads a model folder, and PEFT an adapter, with the logits that we compute.

    npx tsx scripts/reference/logits.ts MODEL ANSWERS.safetensors [ADAPTER]
    python scripts/reference/checkModel.py MODEL ANSWERS.safetensors [ADAPTER]

Needs torch, transformers and, for an adapter, peft. Ends with 1 if logits differ by more than 1e-3.
"""

import inspect
import sys

import torch
from safetensors.torch import load_file
from transformers import Qwen2_5_VLForConditionalGeneration

TOLERANCE = 1e-3


def difference(model, answers):
    inputs = {"input_ids": answers["input_ids"].long(), "image_grid_thw": answers["image_grid_thw"].long()}
    # transformers 5 wants to be told which tokens are pictures.
    if "mm_token_type_ids" in inspect.signature(Qwen2_5_VLForConditionalGeneration.forward).parameters:
        inputs["mm_token_type_ids"] = (inputs["input_ids"] == model.config.image_token_id).int()
    with torch.no_grad():
        logits = model.eval()(pixel_values=answers["pixel_values"], **inputs).logits[0]
    return (logits - answers["logits"]).abs().max().item()


def main(folder, answers_file, adapter=None):
    answers = load_file(answers_file)
    model, report = Qwen2_5_VLForConditionalGeneration.from_pretrained(
        folder, torch_dtype=torch.float32, attn_implementation="eager", output_loading_info=True
    )
    assert not report["missing_keys"] and not report["unexpected_keys"], report
    if adapter is not None:
        from peft import PeftModel

        print(f"without the adapter: largest difference {difference(model, answers):.1e}")
        model = PeftModel.from_pretrained(model, adapter)
    found = difference(model, answers)
    print(f"largest difference {found:.1e}, {len(answers['logits'])} positions")
    return found > TOLERANCE


sys.exit(main(*sys.argv[1:]))
