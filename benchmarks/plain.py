"""Every loss a second time: the equation and its gradient in plain Python floats.

A row is a list of logits `z` and a target `y`; `t` is the same row under the model before. Nothing
here is clever: each line should read as the paper does, with the gradient derived by hand.
"""

import math


def softmax(z):
    top = max(z)
    e = [math.exp(x - top) for x in z]
    total = math.fsum(e)
    return [x / total for x in e]


def others(z, y):
    """Probability of everything but the target, without 1 - p."""
    return math.fsum(x for v, x in enumerate(softmax(z)) if v != y)


def without(z, y):
    """The distribution over the other tokens; 0 at the target."""
    rest = softmax([x for v, x in enumerate(z) if v != y])
    return [*rest[:y], 0.0, *rest[y:]]


def kl(p, q):
    return math.fsum(a * math.log(a / b) for a, b in zip(p, q, strict=True) if a)


def sigmoid(x):
    return 1 / (1 + math.exp(-x)) if x > 0 else math.exp(x) / (1 + math.exp(x))


def log_sigmoid(x):
    return -math.log1p(math.exp(-x)) if x > 0 else x - math.log1p(math.exp(x))


def towards(z, y, factor):
    """Factor (1[v = y] - p_v), the gradient of factor log p_y; 1 - p_y without cancellation."""
    return [factor * (others(z, y) if v == y else -x) for v, x in enumerate(softmax(z))]


def log_p(z, y):
    p = softmax(z)[y]
    return math.log(p) if p < 0.5 else math.log1p(-others(z, y))


# One value and one gradient per row.


def cross_entropy(z, y):
    return -log_p(z, y), towards(z, y, -1)


def ascent(z, y):
    return log_p(z, y), towards(z, y, 1)


def unlikelihood(z, y):
    """dL/dz_y = p_y, others -p_y r_v."""
    p = softmax(z)[y]
    return -math.log(others(z, y)), [p * ((v == y) - r) for v, r in enumerate(without(z, y))]


def weighted_ascent(z, y, beta):
    """p^beta is a weight: no gradient flows through it."""
    weight = softmax(z)[y] ** beta
    return weight * log_p(z, y), towards(z, y, weight)


def satimp(z, y, saturation, importance):
    weight = softmax(z)[y] ** saturation * others(z, y) ** importance
    return weight * log_p(z, y), towards(z, y, weight)


def jensen_shannon_to_token(z, y):
    """By its definition, certainty being the other distribution; dJSD/dp = log(p / (1 + p)) / 2."""
    p = softmax(z)
    sure = [float(v == y) for v in range(len(z))]
    middle = [(a + b) / 2 for a, b in zip(p, sure, strict=True)]
    slope = p[y] * math.log(p[y] / (1 + p[y])) / 2
    return (kl(p, middle) + kl(sure, middle)) / 2, towards(z, y, slope)


def inverted_hinge(z, y):
    """dL/dz_y = p_y (1 - p_y + p_s), dL/dz_s = -p_s (1 - p_s + p_y), others p_v (p_s - p_y).

    Rivals that are equal share p_s: in bfloat16 the best two often are.
    """
    p = softmax(z)
    top = max(x for v, x in enumerate(z) if v != y)
    best = [v for v, x in enumerate(z) if v != y and x == top]
    s = p[best[0]]
    gradient = [x * (s - p[y]) for x in p]
    gradient[y] = p[y] * (others(z, y) + s)
    for v in best:
        gradient[v] -= s / len(best)
    return 1 + p[y] - s, gradient


def uniform_label(z, y, share=None):
    """The target moved to 1/V or another share, the others in their old ratios (Unilogit)."""
    share = 1 / len(z) if share is None else share
    return [share if v == y else r * (1 - share) for v, r in enumerate(without(z, y))]


def unilogit(z, y, share=None):
    """dL/dz = p A (1[v = y] - p_v), A = log(p / u) - log((1 - p) / (1 - u)), u = 1/V or `share`."""
    p, q = softmax(z), uniform_label(z, y, share)
    a = math.log(p[y] / q[y]) - math.log(others(z, y) / (1 - q[y]))
    return kl(p, q), towards(z, y, p[y] * a)


def unilogit_forward(z, y, share=None):
    p, q = softmax(z), uniform_label(z, y, share)
    return kl(q, p), [a - b for a, b in zip(p, q, strict=True)]


def unilogit_to_reference(z, t, y, share=None):
    """Reverse KL: dL/dz = p_v (log(p_v / q_v) - KL)."""
    p, q = softmax(z), uniform_label(t, y, share)
    value = kl(p, q)
    return value, [a * (math.log(a / b) - value) for a, b in zip(p, q, strict=True)]


def unilogit_to_reference_forward(z, t, y, share=None):
    p, q = softmax(z), uniform_label(t, y, share)
    return kl(q, p), [a - b for a, b in zip(p, q, strict=True)]


def to_level(z, y, level):
    """Huber(d), d = log p_y - level; dL/dz = clip(d) (1[v = y] - p)."""
    d = log_p(z, y) - level
    return d * d / 2 if abs(d) < 1 else abs(d) - 0.5, towards(z, y, min(max(d, -1), 1))


def kl_to_reference(z, t):
    p, q = softmax(z), softmax(t)
    return kl(q, p), [a - b for a, b in zip(p, q, strict=True)]


def distil(z, t, y, weight):
    """KL(q || p) + w Huber(d), d = log p_y - log q_y; dL/dz = p - q + w clip(d) (1[v = y] - p)."""
    p, q = softmax(z), softmax(t)
    d = log_p(z, y) - log_p(t, y)
    huber = d * d / 2 if abs(d) < 1 else abs(d) - 0.5
    level = towards(z, y, weight * min(max(d, -1), 1))
    gradient = [a - b + c for a, b, c in zip(p, q, level, strict=True)]
    return kl(q, p) + weight * huber, gradient


def teacher(t, pairs, y, wanted):
    """Log-probabilities of a teacher: tokens exchanged, then the target at exp(wanted)."""
    q = softmax(t)
    for a, b in pairs:
        q[a], q[b] = q[b], q[a]
    if not math.isnan(wanted):
        rest = math.fsum(x for v, x in enumerate(q) if v != y)
        left = -math.expm1(wanted)
        q = [math.exp(wanted) if v == y else x / rest * left for v, x in enumerate(q)]
    return [math.log(x) for x in q]


def undial(z, t, y, strength):
    """Cross-entropy to the lowered reference; dL/dz = p - q."""
    p, q = softmax(z), softmax([x - strength * (v == y) for v, x in enumerate(t)])
    value = -math.fsum(b * math.log(a) for a, b in zip(p, q, strict=True))
    return value, [a - b for a, b in zip(p, q, strict=True)]


def jensen_shannon(z, t):
    """dL/dz = p_v (log(p_v / m_v) - KL(p || m)) / 2."""
    p, q = softmax(z), softmax(t)
    middle = [(a + b) / 2 for a, b in zip(p, q, strict=True)]
    own = kl(p, middle)
    slope = [a * (math.log(a / m) - own) / 2 for a, m in zip(p, middle, strict=True)]
    return (own + kl(q, middle)) / 2, slope


def ce_u(z, y):
    """Cross-entropy to r, the model's own distribution without the target; dL/dz = p - r."""
    p, r = softmax(z), without(z, y)
    value = -math.fsum(b * math.log(a) for a, b in zip(p, r, strict=True) if b)
    return value, [p[y] * ((v == y) - x) for v, x in enumerate(r)]


def flattening(z):
    """dL/dz = 2 (max - mean) (1[v is the largest] - 1/V); equals share."""
    top = max(z)
    gap, equals = top - math.fsum(z) / len(z), z.count(top)
    return gap**2, [2 * gap * ((x == top) / equals - 1 / len(z)) for x in z]


def shares(values, k):
    """1 for each of the k largest, 0 for the others; those equal to the k-th share what is left."""
    level = sorted(values, reverse=True)[min(k, len(values)) - 1]
    above = sum(x > level for x in values)
    share = (min(k, len(values)) - above) / values.count(level)
    return [1.0 if x > level else share * (x == level) for x in values]


def top_margin(z, y, k):
    """z_y - logsumexp of the k largest others; 1 on the target, their softmax off each of them."""
    rest = [x for v, x in enumerate(z) if v != y]
    e = [w * math.exp(x - max(rest)) for x, w in zip(rest, shares(rest, k), strict=True)]
    total = math.fsum(e)
    slopes = [-x / total for x in e]
    return z[y] - max(rest) - math.log(total), [*slopes[:y], 1.0, *slopes[y:]]


def buffered_hinge(z, y, k, tau, eta):
    """Of that margin: relu(m - tau + eta) / eta."""
    m, slopes = top_margin(z, y, k)
    if m <= tau - eta:
        return 0.0, [0.0] * len(z)
    return (m - tau + eta) / eta, [x / eta for x in slopes]


def top_flattening(z, t, k):
    """Mean of (z_v - c)^2 over the reference's k largest, c their mean; dL/dz = 2 (z_v - c) / k."""
    held = shares(t, k)
    c = math.fsum(w * x for w, x in zip(held, z, strict=True)) / math.fsum(held)
    parts = [w / math.fsum(held) * (x - c) for w, x in zip(held, z, strict=True)]
    return math.fsum(p * (x - c) for p, x in zip(parts, z, strict=True)), [2 * p for p in parts]


def entropy(z, temperature):
    """H = -sum p log p with p the softmax of z / T; dH/dz = -p (log p + H) / T."""
    soft = [x / temperature for x in z]
    p = softmax(soft)
    logs = [math.log(x) if x < 0.5 else log_p(soft, v) for v, x in enumerate(p)]
    value = -math.fsum(a * b for a, b in zip(p, logs, strict=True))
    return value, [-a * (b + value) / temperature for a, b in zip(p, logs, strict=True)]


def entropy_weighted_ascent(z, y, temperature, scale):
    """H / scale is a weight: no gradient flows through it."""
    weight = entropy(z, temperature)[0] / scale
    return weight * log_p(z, y), towards(z, y, weight)


def squared_distance(h, goal):
    pairs = list(zip(h, goal, strict=True))
    value = math.fsum((a - b) ** 2 for a, b in pairs) / len(h)
    return value, [2 * (a - b) / len(h) for a, b in pairs]


# One value per answer, and its derivative by the answer's log-probability.


def npo(logps, before, beta):
    ratio = logps - before
    return -2 / beta * log_sigmoid(-beta * ratio), 2 * sigmoid(beta * ratio)


def simnpo(logps, length, beta, margin):
    inside = -beta * logps / length - margin
    return -2 / beta * log_sigmoid(inside), 2 * sigmoid(-inside) / length


def dpo(wanted, wanted_before, unwanted, unwanted_before, beta):
    """Its derivatives by the wanted and by the unwanted log-probability."""
    ratio = (wanted - wanted_before) - (unwanted - unwanted_before)
    push = 2 * sigmoid(-beta * ratio)
    return -2 / beta * log_sigmoid(beta * ratio), (-push, push)
