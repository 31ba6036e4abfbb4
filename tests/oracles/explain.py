"""The papers' equations as slow loops, written without the library: what the tests compare it with.

Nothing here imports explain. Attention is computed head by head in the open, so that A can be differentiated.
"""

import math

import numpy as np
import torch
import torch.nn.functional as F


def attention(query, key, value, mask=None):
    """softmax(Q K^T / sqrt(d) + mask) V, number by number: (L, d), (S, d), (S, d) -> output (L, d), A (L, S)."""
    length, depth = query.shape
    probs = torch.zeros(length, len(key), dtype=query.dtype)
    for i in range(length):
        logits = [float(sum(query[i] * key[j])) / math.sqrt(depth) for j in range(len(key))]
        if mask is not None:
            logits = [logit + float(mask[i, j]) for j, logit in enumerate(logits)]
        top = max(logits)
        powers = [math.exp(logit - top) for logit in logits]
        for j in range(len(key)):
            probs[i, j] = powers[j] / sum(powers)
    output = torch.zeros(length, value.shape[1], dtype=value.dtype)
    for i in range(length):
        for j in range(len(key)):
            output[i] += probs[i, j] * value[j]
    return output, probs


def mix(x_query, x, weights, heads, kept, mask=None):
    """Multi-head attention of one sample, head by head: x_query (L, D), x (S, D) -> (L, D). A goes to `kept`.

    `weights`: Wq, bq, Wk, bk, Wv, bv, Wo, bo.
    """
    wq, bq, wk, bk, wv, bv, wo, bo = weights
    q, k, v = x_query @ wq.T + bq, x @ wk.T + bk, x @ wv.T + bv
    depth = q.shape[1] // heads
    probs = []
    for head in range(heads):
        part = slice(head * depth, (head + 1) * depth)
        logits = q[:, part] @ k[:, part].T / math.sqrt(depth)
        probs.append((logits if mask is None else logits + mask).softmax(-1))
    probs = torch.stack(probs)
    if not probs.requires_grad:
        probs.requires_grad_()
    kept.append(probs)
    parts = [probs[h] @ v[:, h * depth : (h + 1) * depth] for h in range(heads)]
    return torch.cat(parts, dim=-1) @ wo.T + bo


def packed(module):
    """The eight weights of torch's nn.MultiheadAttention."""
    (wq, wk, wv), (bq, bk, bv) = module.in_proj_weight.chunk(3), module.in_proj_bias.chunk(3)
    return wq, bq, wk, bk, wv, bv, module.out_proj.weight, module.out_proj.bias


def blocks(transformer, x, kept, mask=None):
    """Pre-norm residual blocks of open_clip on one sample (N, D)."""
    for block in transformer.resblocks:
        y = block.ln_1(x)
        x = x + mix(y, y, packed(block.attn), block.attn.num_heads, kept, mask)
        x = x + block.mlp(block.ln_2(x))
    return x


def text_tower(model, ids, row):
    """Unit feature (D,) of one text (L,) pooled at `row`, and A of every layer, all L tokens."""
    tower, kept = getattr(model, "text", model), []
    x = tower.token_embedding(ids) + tower.positional_embedding
    x = tower.ln_final(blocks(tower.transformer, x, kept, tower.attn_mask))[row]
    projection = tower.text_projection
    x = projection(x) if isinstance(projection, torch.nn.Linear) else x @ projection
    return F.normalize(x, dim=0), kept


def image_tower(model, image, family):
    """Unit feature (D,) of one image (3, H, W), and A of every layer."""
    return {"vit": _vit, "resnet": _resnet, "siglip": _siglip, "cnn": _cnn}[family](model.visual, image)


def _vit(visual, image):
    kept = []
    patches = visual.conv1(image[None])[0].flatten(1).T
    x = torch.cat([visual.class_embedding[None], patches]) + visual.positional_embedding
    x = blocks(visual.transformer, visual.ln_pre(x), kept)
    return F.normalize(visual.ln_post(x)[0] @ visual.proj, dim=0), kept


def _resnet(visual, image):
    kept, pool = [], visual.attnpool
    x = visual.layer4(visual.layer3(visual.layer2(visual.layer1(visual.stem(image[None])))))[0].flatten(1).T
    x = torch.cat([x.mean(0, keepdim=True), x]) + pool.positional_embedding
    names = (pool.q_proj, pool.k_proj, pool.v_proj, pool.c_proj)
    weights = [tensor for layer in names for tensor in (layer.weight, layer.bias)]
    return F.normalize(mix(x, x, weights, pool.num_heads, kept)[0], dim=0), kept


def _siglip(visual, image):
    kept, vit = [], visual.trunk
    x = vit.patch_embed(image[None])[0] + vit.pos_embed[0]
    for block in vit.blocks:
        y, a = block.norm1(x), block.attn
        (wq, wk, wv), (bq, bk, bv) = a.qkv.weight.chunk(3), a.qkv.bias.chunk(3)
        x = x + mix(y, y, (wq, bq, wk, bk, wv, bv, a.proj.weight, a.proj.bias), a.num_heads, kept)
        x = x + block.mlp(block.norm2(x))
    x, pool = vit.norm(x), vit.attn_pool
    (wk, wv), (bk, bv) = pool.kv.weight.chunk(2), pool.kv.bias.chunk(2)
    weights = (pool.q.weight, pool.q.bias, wk, bk, wv, bv, pool.proj.weight, pool.proj.bias)
    x = mix(pool.latent[0], x, weights, pool.num_heads, kept)
    return F.normalize((x + pool.mlp(pool.norm(x)))[0], dim=0), kept


def _cnn(visual, image):
    """The mean as an attention of one head in which every place has the same share."""
    x = visual.trunk.forward_features(image[None])[0].flatten(1).T
    probs = torch.full((1, 1, len(x)), 1 / len(x), dtype=x.dtype, requires_grad=True)
    return F.normalize(visual.head.proj((probs[0] @ x)[0]), dim=0), [probs]


def relevance(probs, grads, final_pool=False):
    """Chefer et al. 2021: R (N, N), or (1, N) after a final pool, number by number. Lists of (heads, L, S)."""
    size = probs[0].shape[-1]
    rolled = torch.eye(size, dtype=probs[0].dtype)
    for layer, (a, g) in enumerate(zip(probs, grads, strict=True)):
        a, g = a.detach(), g.detach()
        heads, length, width = a.shape
        c = torch.zeros(length, width, dtype=a.dtype)
        for i in range(length):
            for j in range(width):
                c[i, j] = sum(max(0.0, float(a[h, i, j]) * float(g[h, i, j])) for h in range(heads)) / heads
        product = torch.zeros(length, size, dtype=a.dtype)
        for i in range(length):
            for j in range(width):
                product[i] += c[i, j] * rolled[j]
        last = layer == len(probs) - 1
        rolled = product if last and final_pool else rolled + product
    return rolled


def similarity_map(tokens, text):
    """Cosine of each token (h, w, D), of any length, with a text (D,): (h, w)."""
    rows, columns, _ = tokens.shape
    found = np.zeros((rows, columns))
    for i in range(rows):
        for j in range(columns):
            token = tokens[i, j]
            found[i, j] = float((token * text).sum()) / (float((token**2).sum() * (text**2).sum()) ** 0.5)
    return found


def gradcam(activations, grads, grid):
    """Selvaraju et al. 2017: activations and dS/da (N, D) over the patches -> (h, w)."""
    count, depth = activations.shape
    alpha = [sum(float(grads[i, d]) for i in range(count)) / count for d in range(depth)]
    values = [max(0.0, sum(alpha[d] * float(activations[i, d]) for d in range(depth))) for i in range(count)]
    return np.array(values).reshape(grid)


def bilinear(heatmap, size):
    """Bilinear interpolation with pixel centres (align_corners=False): (h, w) -> (H, W)."""
    rows, columns = heatmap.shape
    out = np.zeros(size)
    for i in range(size[0]):
        for j in range(size[1]):
            y = min(max((i + 0.5) * rows / size[0] - 0.5, 0), rows - 1)
            x = min(max((j + 0.5) * columns / size[1] - 0.5, 0), columns - 1)
            y0, x0 = int(y), int(x)
            y1, x1 = min(y0 + 1, rows - 1), min(x0 + 1, columns - 1)
            top = heatmap[y0, x0] * (1 - (x - x0)) + heatmap[y0, x1] * (x - x0)
            bottom = heatmap[y1, x0] * (1 - (x - x0)) + heatmap[y1, x1] * (x - x0)
            out[i, j] = top * (1 - (y - y0)) + bottom * (y - y0)
    return out


def msc(values, mask):
    """Mean of the min-max normalised map on the mask minus its mean off it."""
    low, high = values.min(), values.max()
    on, off = [], []
    for i in range(values.shape[0]):
        for j in range(values.shape[1]):
            (on if mask[i, j] else off).append((values[i, j] - low) / (high - low))
    return sum(on) / len(on) - sum(off) / len(off)


# --- Measures of maps against masks ------------------------------------------------------------------------


def sides(values, mask, valid):
    """Values on the thing and off it, of valid pixels, min-max normalised among these, as float32."""
    kept = [(i, j) for i in range(len(values)) for j in range(len(values[0])) if valid[i, j]]
    low, high = min(values[i, j] for i, j in kept), max(values[i, j] for i, j in kept)
    scaled = {(i, j): (values[i, j] - low) / np.float32(high - low) for i, j in kept}
    return [scaled[p] for p in kept if mask[p]], [scaled[p] for p in kept if not mask[p]]


def overlap(values, mask, threshold, valid):
    """Pixels in the intersection and in the union of a mask with where a map at its size is above a threshold."""
    on, off = sides(values, mask, valid)
    hits = sum(1 for value in on if value > np.float32(threshold))
    return hits, len(on) + sum(1 for value in off if value > np.float32(threshold))


def miou(rows, threshold, pooled=False):
    """Rows (class, values, mask, valid) -> mean over the pictures of a class, or pooled over them; mean over
    classes.
    """
    scores = []
    for name in sorted({row[0] for row in rows}):
        counts = [overlap(values, mask, threshold, valid) for n, values, mask, valid in rows if n == name]
        if pooled:
            scores.append(sum(hits for hits, _ in counts) / sum(union for _, union in counts))
        else:
            scores.append(sum(hits / union for hits, union in counts) / len(counts))
    return sum(scores) / len(scores)


def pointing_hit(values, mask, valid, tolerance):
    """Whether every highest valid pixel of a map at the mask's size is within reach of a valid pixel of it."""
    pixels = [(i, j) for i in range(len(mask)) for j in range(len(mask[0])) if valid[i, j]]
    top = max(values[p] for p in pixels)
    highest = [p for p in pixels if values[p] == top]
    if len(highest) == len(pixels):
        return False
    return all(any(math.dist(p, q) <= tolerance for q in pixels if mask[q]) for p in highest)


def pooled_area(mask, grid, valid):
    """Shares of a mask in the valid area of each patch: every pixel cut into h x w pieces that no patch cuts."""
    rows, columns = mask.shape
    on, whole = np.zeros(grid), np.zeros(grid)
    for i in range(rows * grid[0]):
        for j in range(columns * grid[1]):
            pixel, patch = (i // grid[0], j // grid[1]), (i // rows, j // columns)
            whole[patch] += valid[pixel]
            on[patch] += valid[pixel] and mask[pixel]
    return np.where(whole > 0, on / np.maximum(whole, 1), 0)


def deletion_insertion(image, baseline, heatmap, score, steps):
    """RISE, pixel by pixel: a picture where the patches so far are the baseline, and one where only they are not."""
    height, width, _ = image.shape
    rows, columns = heatmap.shape
    patches = sorted(
        ((i, j) for i in range(rows) for j in range(columns)), key=lambda p: (-heatmap[p], p[0], p[1])
    )
    curves = [], []
    for step in range(steps + 1):
        chosen = set(patches[: step * len(patches) // steps])
        without, alone = image.copy(), baseline.copy()
        for y in range(height):
            for x in range(width):
                if (int((y + 0.5) * rows / height), int((x + 0.5) * columns / width)) in chosen:
                    without[y, x] = baseline[y, x]
                    alone[y, x] = image[y, x]
        for curve, picture in zip(curves, (without, alone), strict=True):
            curve.append(float(score(picture[None])[0]))
    return curves


def spearman(a, b):
    """Pearson's correlation of the ranks; equal values share the mean of theirs."""
    ranks = []
    for values in (a, b):
        below = [sum(other < value for other in values) for value in values]
        same = [sum(other == value for other in values) for value in values]
        ranks.append([x + (y + 1) / 2 for x, y in zip(below, same, strict=True)])
    means = [sum(r) / len(r) for r in ranks]
    x, y = ([value - mean for value in r] for r, mean in zip(ranks, means, strict=True))
    top = sum(p * q for p, q in zip(x, y, strict=True))
    return top / math.sqrt(sum(p * p for p in x) * sum(q * q for q in y))


def shift(vector, tokens, mask):
    """cos(vector, mean token off the mask) - cos(vector, mean token on it)."""
    found = []
    for wanted in (False, True):
        chosen = [tokens[p] for p in np.ndindex(mask.shape) if bool(mask[p]) is wanted]
        mean = sum(chosen) / len(chosen)
        found.append(float(vector @ mean) / math.sqrt(float(vector @ vector) * float(mean @ mean)))
    return found[0] - found[1]


# --- COCO's masks ------------------------------------------------------------------------------------------


def polygon(points, size):
    """Even-odd rule at every pixel's centre: how many edges does a ray to the left cross?"""
    mask = np.zeros(size, dtype=bool)
    for i in range(size[0]):
        for j in range(size[1]):
            y, x, crossed = i + 0.5, j + 0.5, 0
            for (x1, y1), (x2, y2) in zip(points, points[1:] + points[:1], strict=True):
                if (y1 <= y) != (y2 <= y) and x1 + (y - y1) / (y2 - y1) * (x2 - x1) <= x:
                    crossed += 1
            mask[i, j] = crossed % 2 == 1
    return mask


def run_lengths(mask):
    """Lengths of runs off and on in turn, down the columns from the left; the first may be 0."""
    counts, state = [0], False
    for j in range(mask.shape[1]):
        for i in range(mask.shape[0]):
            if bool(mask[i, j]) is not state:
                counts.append(0)
                state = not state
            counts[-1] += 1
    return counts


def packed_run_lengths(counts):
    """COCO's string: from the fourth on the difference to the one before last, five bits to a character."""
    text = ""
    for position, count in enumerate(counts):
        value = count - counts[position - 2] if position > 2 else count
        more = True
        while more:
            bits, value = value & 31, value >> 5
            more = value != (-1 if bits & 16 else 0)
            text += chr(48 + bits + (32 if more else 0))
    return text


def disagreement(decisions):
    """The share of pairs of phrasings whose decisions differ, pair by pair; 0 without pairs."""
    pairs = [(i, j) for i in range(len(decisions)) for j in range(i + 1, len(decisions))]
    return sum(decisions[i] != decisions[j] for i, j in pairs) / len(pairs) if pairs else 0.0


def ensemble(image, rows, scale):
    """Prompt ensembling: image (D,) against each label's mean feature over the phrasings, rows[p][l] (D,), each of unit
    norm, and the mean brought to unit norm again. Probabilities of the labels at the temperature 1 / scale.
    """
    logits = []
    for label in range(len(rows[0])):
        mean = sum(row[label] / row[label].norm() for row in rows) / len(rows)
        logits.append(scale * float((mean / mean.norm()) @ (image / image.norm())))
    powers = [math.exp(logit - max(logits)) for logit in logits]
    return [power / sum(powers) for power in powers]


def neglected(tokens, spans, content, threshold):
    """Paiss et al.: a word's relevance is the largest of its tokens'. Which content words are below `threshold` of the
    strongest content word. `spans`: (start, stop) of each word; `content`: whether it is one.
    """
    peaks = []
    for start, stop in spans:
        peak = tokens[start]
        for position in range(start + 1, stop):
            peak = max(peak, tokens[position])
        peaks.append(peak)
    top = max([peak for peak, counts in zip(peaks, content, strict=True) if counts], default=0)
    return [
        counts and top > 0 and peak < threshold * top for peak, counts in zip(peaks, content, strict=True)
    ]
