"""The other methods' equations as slow loops over one image, without the library: see oracles.py."""

import math

import numpy as np
import torch
import torch.nn.functional as F

from tests.oracles.explain import blocks, packed


def vit_blocks(visual, image):
    """Tokens (N, D) before each block of open_clip's ViT and after the last, and A of each (heads, N, N)."""
    patches = visual.conv1(image[None])[0].flatten(1).T
    x = torch.cat([visual.class_embedding[None], patches]) + visual.positional_embedding
    states, kept = [visual.ln_pre(x)], []
    for block in visual.transformer.resblocks:
        single = type("One", (), {"resblocks": [block]})
        states.append(blocks(single, states[-1], kept))
    return states, kept


def pool_tokens(visual, image):
    """[mean; patches] + positions (1 + N, D) that enter open_clip's attention pool."""
    x = visual.layer4(visual.layer3(visual.layer2(visual.layer1(visual.stem(image[None])))))[0].flatten(1).T
    return torch.cat([x.mean(0, keepdim=True), x]) + visual.attnpool.positional_embedding


def rollout(probs, final_pool=False):
    """Abnar and Zuidema 2020, eq. 1, all rows: list of (heads, L, N) -> (L, N)."""
    size = probs[0].shape[-1]
    rolled = np.eye(size)
    for layer, a in enumerate(probs):
        a = a.detach().double().mean(0).numpy()
        last = final_pool and layer == len(probs) - 1
        rolled = (a if last else (a + np.eye(size)) / 2) @ rolled
    return rolled


def read(visual, x):
    """Tokens (..., D) through the ViT's head, unit norm."""
    return F.normalize(visual.ln_post(x) @ visual.proj, dim=-1)


def legrad(visual, image, text, last=2):
    """Bousselham et al. 2024 with the last two layers: sums over heads and rows, number by number."""
    states, probs = vit_blocks(visual, image)
    total = torch.zeros(probs[0].shape[-1])
    for layer in range(len(probs) - last, len(probs)):
        score = read(visual, states[layer + 1].mean(0)) @ text
        (grad,) = torch.autograd.grad(score, probs[layer], retain_graph=True)
        heads, rows, columns = grad.shape
        for column in range(columns):
            values = [max(0.0, float(grad[h, r, column])) for h in range(heads) for r in range(rows)]
            total[column] += sum(values) / (heads * rows)
    return total[1:]


def gradeclip(visual, tokens, weights, heads, finish, text):
    """Zhao et al. 2024: tokens (N, D) that the attention sees, row 0 pooled; finish: attention output -> unit."""
    wq, bq, wk, bk, wv, bv, wo, bo = weights
    q, k, v = tokens @ wq.T + bq, tokens @ wk.T + bk, tokens @ wv.T + bv
    depth = q.shape[1] // heads
    parts = []
    for h in range(heads):
        part = slice(h * depth, (h + 1) * depth)
        parts.append((q[0, part] @ k[:, part].T / math.sqrt(depth)).softmax(-1) @ v[:, part])
    mixed = torch.cat(parts).detach().requires_grad_()
    (grad,) = torch.autograd.grad(finish(mixed @ wo.T + bo) @ text, mixed)
    q_out, k_out = q[0] @ wo.T + bo, k[1:] @ wo.T + bo
    near = torch.stack([F.cosine_similarity(q_out, row, dim=0) for row in k_out])
    near = (near - near.min()) / (near.max() - near.min())
    return torch.stack([(grad * v[1 + i]).sum().clamp(min=0) * near[i] for i in range(len(near))])


def attend(tokens, weights, heads, attention):
    """A last attention with A from `attention(q, k, v)` of one head: tokens (N, D) -> its output (N, D')."""
    wq, bq, wk, bk, wv, bv, wo, bo = weights
    q, k, v = tokens @ wq.T + bq, tokens @ wk.T + bk, tokens @ wv.T + bv
    depth = q.shape[1] // heads
    parts = []
    for h in range(heads):
        part = slice(h * depth, (h + 1) * depth)
        parts.append(attention(q[:, part], k[:, part], v[:, part]) @ v[:, part])
    return torch.cat(parts, dim=-1) @ wo.T + bo


def alike(x, bias=None):
    """softmax(x x^T / sqrt(d) + bias), number by number: (N, d) -> (N, N)."""
    x, out = x.detach(), torch.zeros(len(x), len(x))
    for i in range(len(x)):
        logits = [float(x[i] @ x[j]) / math.sqrt(x.shape[1]) for j in range(len(x))]
        logits = [v + (float(bias[i, j]) if bias is not None else 0.0) for j, v in enumerate(logits)]
        powers = [math.exp(v - max(logits)) for v in logits]
        out[i] = torch.tensor([power / sum(powers) for power in powers])
    return out


def gaussian(grid, prefix, std=5.0):
    """NACLIP's window between patches; nothing for the prefix."""
    out = torch.zeros(prefix + grid[0] * grid[1], prefix + grid[0] * grid[1])
    for a in range(grid[0] * grid[1]):
        for b in range(grid[0] * grid[1]):
            rows, columns = a // grid[1] - b // grid[1], a % grid[1] - b % grid[1]
            out[prefix + a, prefix + b] = math.exp(-(rows**2 + columns**2) / (2 * std**2))
    return out


def surgery(visual, image, depth):
    """CLIP Surgery's second path through the last blocks: dense tokens (P, D) of unit norm."""
    states, _ = vit_blocks(visual, image)
    count = len(visual.transformer.resblocks)
    y = states[count - depth]
    for layer in range(count - depth, count):
        block = visual.transformer.resblocks[layer]
        y = y + attend(
            block.ln_1(states[layer]), packed(block.attn), block.attn.num_heads, lambda q, k, v: alike(v)
        )
    return read(visual, y[1:])


def feature_surgery(dense, pooled, texts):
    """Surgery among texts, element by element: (P, D), (D,), (T, D) -> (P, T)."""
    powers = [math.exp(2 * float(pooled @ text)) for text in texts]
    weights = [power / sum(powers) for power in powers]
    weights = [weight / (sum(weights) / len(weights)) for weight in weights]
    scaled = [[float(token @ t) * w for t, w in zip(texts, weights, strict=True)] for token in dense]
    return np.array([[value - sum(row) / len(row) for value in row] for row in scaled])


def occlusion(model, image, grid, text, width):
    """What the cosine loses with a square of `width` cells hidden round each cell."""
    cell = image.shape[1] // grid[0], image.shape[2] // grid[1]
    whole = F.normalize(model.encode_image(image[None]), dim=-1)[0] @ text
    out = np.zeros(grid)
    for i in range(grid[0]):
        for j in range(grid[1]):
            view = image.clone()
            for y in range(image.shape[1]):
                for x in range(image.shape[2]):
                    if abs(y // cell[0] - i) <= width // 2 and abs(x // cell[1] - j) <= width // 2:
                        view[:, y, x] = 0
            out[i, j] = float(whole - F.normalize(model.encode_image(view[None]), dim=-1)[0] @ text)
    return out


def scorecam(model, image, planes, chosen, text, scale):
    """ScoreCAM over chosen channels of planes (D, h, w): (h, w)."""
    logits = []
    for c in chosen:
        spread = float(planes[c].max() - planes[c].min())
        plane = (planes[c] - planes[c].min()) / spread if spread > 0 else torch.zeros_like(planes[c])
        mask = F.interpolate(plane[None, None], size=image.shape[1:], mode="bilinear", align_corners=False)[0]
        logits.append(scale * float(F.normalize(model.encode_image((image * mask)[None]), dim=-1)[0] @ text))
    powers = [math.exp(logit - max(logits)) for logit in logits]
    total = sum(power / sum(powers) * planes[c] for power, c in zip(powers, chosen, strict=True))
    return total.clamp(min=0)
