"""The racer PyTorch: Qwen2 in bfloat16 with random weights, attention computed eagerly and kept, as transformers does
with attn_implementation="eager" and output_attentions=True. What transformers adds around it is left out, which is
to PyTorch's advantage. Speaks the lines of racer.ts."""

import json
import sys
import time

import torch
import torch.nn.functional as F

HALF = torch.bfloat16


class Layer:
    def __init__(self, size):
        c, d = size["hidden"], size["hidden"] // size["heads"]
        narrow, wide = size["kvHeads"] * d, size["feedForward"]
        self.heads, self.kv_heads, self.d = size["heads"], size["kvHeads"], d
        self.norms = [torch.ones(c, dtype=HALF) for _ in range(2)]
        self.q, self.k, self.v, self.o = (matrix(n, c) for n in (c, narrow, narrow, c))
        self.biases = [torch.zeros(n, dtype=HALF) for n in (c, narrow, narrow)]
        self.gate, self.up, self.down = matrix(wide, c), matrix(wide, c), matrix(c, wide)
        self.keys = self.values = None

    def __call__(self, x, cos, sin, mask):
        normed = norm(x, self.norms[0])
        q, k, v = (
            F.linear(normed, w, b).view(1, -1, heads, self.d).transpose(1, 2)
            for w, b, heads in zip((self.q, self.k, self.v), self.biases, (self.heads, self.kv_heads, self.kv_heads))
        )
        q, k = turn(q, cos, sin), turn(k, cos, sin)
        self.keys = k if self.keys is None else torch.cat([self.keys, k], dim=2)
        self.values = v if self.values is None else torch.cat([self.values, v], dim=2)
        groups = self.heads // self.kv_heads
        keys, values = (repeat(t, groups) for t in (self.keys, self.values))
        scores = torch.matmul(q, keys.transpose(2, 3)) * self.d**-0.5
        if mask is not None:
            scores = scores + mask
        attention = F.softmax(scores, dim=-1, dtype=torch.float32).to(HALF)
        mixed = torch.matmul(attention, values).transpose(1, 2).reshape(1, -1, self.heads * self.d)
        x = x + F.linear(mixed, self.o)
        normed = norm(x, self.norms[1])
        return x + F.linear(F.silu(F.linear(normed, self.gate)) * F.linear(normed, self.up), self.down), attention


def matrix(rows, columns):
    return torch.empty(rows, columns, dtype=HALF).normal_(0, 0.02)


def norm(x, weight):
    wide = x.float()
    return weight * (wide * torch.rsqrt(wide.pow(2).mean(-1, keepdim=True) + 1e-6)).to(HALF)


def turn(x, cos, sin):
    first, second = x.chunk(2, dim=-1)
    return x * cos + torch.cat([-second, first], dim=-1) * sin


def repeat(x, groups):
    b, heads, length, d = x.shape
    return x[:, :, None].expand(b, heads, groups, length, d).reshape(b, heads * groups, length, d)


class Racer:
    def __init__(self, size):
        self.table = matrix(size["vocabulary"], size["hidden"])
        self.head = self.table if size["tied"] else matrix(size["vocabulary"], size["hidden"])
        self.layers = [Layer(size) for _ in range(size["layers"])]
        self.last_norm = torch.ones(size["hidden"], dtype=HALF)
        d = size["hidden"] // size["heads"]
        self.frequencies = 1e6 ** (-torch.arange(0, d, 2).float() / d)
        self.length, self.next, self.head_ms = 0, 0, 0.0

    def read(self, ids):
        x = F.embedding(torch.tensor([ids]), self.table)
        angles = torch.arange(self.length, self.length + len(ids))[:, None] * self.frequencies
        angles = torch.cat([angles, angles], dim=-1)
        cos, sin = angles.cos().to(HALF), angles.sin().to(HALF)
        mask = torch.full((len(ids), len(ids)), float("-inf"), dtype=HALF).triu(1) if len(ids) > 1 else None
        maps = []
        for layer in self.layers:
            x, attention = layer(x, cos, sin, mask)
            maps.append(attention)
        start = time.perf_counter()
        logits = F.linear(norm(x[:, -1:], self.last_norm), self.head)
        self.length += len(ids)
        self.next = int(logits.argmax())
        self.head_ms = 1000 * (time.perf_counter() - start)
        return maps

    def prefill(self, ids):
        for layer in self.layers:
            layer.keys = layer.values = None
        self.length = 0
        self.read(ids)

    def token(self):
        self.read([self.next])


def private_memory():
    try:
        with open("/proc/self/status") as status:
            return 1024 * int(next(line for line in status if line.startswith("RssAnon")).split()[1])
    except FileNotFoundError:
        return 0


def clock(work):
    start = time.perf_counter()
    work()
    return 1000 * (time.perf_counter() - start)


def main():
    options = json.loads(sys.argv[1])
    torch.set_num_threads(options["threads"])
    torch.manual_seed(0)
    before = private_memory()
    start = time.perf_counter()
    racer = Racer(options["size"])
    ms = 1000 * (time.perf_counter() - start)
    racer.prefill([1, 2, 3])
    racer.token()
    answer({"ms": ms, "memory": private_memory() - before})
    for line in sys.stdin:
        task = json.loads(line)
        if task["do"] == "prefill":
            answer({"ms": [clock(lambda: racer.prefill(task["ids"]))]})
        else:
            laps = [(clock(racer.token), racer.head_ms) for _ in range(task["tokens"])]
            answer({"ms": [ms for ms, _ in laps], "head": [head for _, head in laps]})


def answer(value):
    print("@" + json.dumps(value), flush=True)


with torch.inference_mode():
    main()
