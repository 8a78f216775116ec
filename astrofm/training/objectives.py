"""What training makes small: masked reconstruction, alignment, and labels with errors."""

from __future__ import annotations

import torch
from torch.nn import functional as F


def reconstruction_loss(log_value: torch.Tensor, log_error: torch.Tensor, target: torch.Tensor,
                        target_error: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Score decoded flux by its own errors, whatever the scale of each star.

    Parameters
    ----------
    log_value : Tensor, shape ``(n, t, size)``
        Decoded natural log of the flux.
    log_error : Tensor, broadcastable to the same shape
        Decoded natural log of its relative error.
    target, target_error : Tensor, shape ``(n, t, size)``
        Flux to be met (positive where it counts) and its error.
    mask : bool Tensor, shape ``(n, t, size)``
        True where a pixel does not count.

    Returns
    -------
    Tensor
        Mean negative log-likelihood (natural log of the relative flux, Gaussian) over good pixels.
    """
    good = ~mask & (target > 0)
    truth = torch.where(good, target, 1.0).log()
    spread = (torch.where(good, target_error, 0.0) / torch.where(good, target, 1.0)) ** 2
    residual = truth - log_value
    weight = torch.where(good, 1.0 / (spread + 0.01), 0.0)
    offset = (weight * residual).sum((1, 2), keepdim=True) / weight.sum((1, 2), keepdim=True).clamp_min(1e-6)
    variance = (2 * log_error).exp() + spread + 1e-6
    score = 0.5 * ((residual - offset) ** 2 / variance).clamp_max(200.0) + 0.5 * variance.log()
    return torch.where(good, score, 0.0).sum() / good.sum().clamp_min(1)


def contrastive_loss(first: torch.Tensor, second: torch.Tensor, *, temperature: float = 0.07) -> torch.Tensor:
    """Bring the two embeddings of each star together and those of different stars apart.

    Symmetric InfoNCE (van den Oord et al. 2018, arXiv:1807.03748; Radford et al. 2021, arXiv:2103.00020).

    Parameters
    ----------
    first, second : Tensor, shape ``(n, d)``
        Row ``i`` of both is the same star.
    temperature : float
        Of the similarities.
    """
    scores = F.normalize(first, dim=-1) @ F.normalize(second, dim=-1).T / temperature
    same = torch.arange(len(first), device=first.device)
    return 0.5 * (F.cross_entropy(scores, same) + F.cross_entropy(scores.T, same))


def label_loss(mean: torch.Tensor, log_error: torch.Tensor, truth: torch.Tensor, *, beta: float = 0.5,
               error: torch.Tensor | None = None) -> torch.Tensor:
    """Score labels by their predicted errors; a label that is NaN is not known and does not count.

    Gaussian negative log-likelihood weighted by ``variance**beta`` (Seitzer et al. 2022, arXiv:2203.09168).

    Parameters
    ----------
    mean, log_error, truth : Tensor, shape ``(n, k)``
        In standardised units.
    beta : float
        0 is the plain likelihood, 1 the squared error.
    error : Tensor, shape ``(n, k)``, optional
        Of the truth, standardised; NaN is none.
    """
    known = torch.isfinite(truth)
    residual = torch.where(known, truth, 0.0) - mean
    variance = (2 * log_error).exp() + (0.0 if error is None else torch.nan_to_num(error) ** 2)
    score = 0.5 * (residual**2 / variance + variance.log())
    weight = variance.detach() ** beta
    return torch.where(known, weight * score, 0.0).sum() / known.sum().clamp_min(1)


def class_loss(scores: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Score log-odds ``(n, c)`` against target probabilities ``(n, c)``; rows of zeros do not count."""
    known = target.sum(-1) > 0.5
    score = -(target * scores.log_softmax(-1)).sum(-1)
    return torch.where(known, score, 0.0).sum() / known.sum().clamp_min(1)


def mask_runs(tokens: torch.Tensor, *, runs: int, length: int) -> torch.Tensor:
    """Set runs of tokens to zero: each star's sequence is cut in equal segments, and a run at a random place of each goes.

    Parameters
    ----------
    tokens : Tensor, shape ``(n, t, d)``
    runs, length : int
        How many, and of how many tokens. ``t // runs`` must exceed ``length``.

    Returns
    -------
    Tensor, shape ``(n, t, d)``
        New; drawn from torch's own generator.
    """
    n, t, _ = tokens.shape
    segment = t // runs
    if segment <= length:
        raise ValueError(f"{runs} runs of {length} tokens do not fit into {t}: make them fewer or shorter")
    start = torch.randint(segment - length, (n, runs, 1), device=tokens.device)
    start = start + segment * torch.arange(runs, device=tokens.device)[None, :, None]
    hidden = torch.zeros(n, t, dtype=torch.bool, device=tokens.device)
    hidden.scatter_(1, (start + torch.arange(length, device=tokens.device)).flatten(1), True)
    return tokens.masked_fill(hidden[..., None], 0.0)


def masked_loss(predicted: torch.Tensor, tokens: torch.Tensor, masked: torch.Tensor) -> tuple[torch.Tensor, float]:
    """Score predicted tokens where masking has changed them: mean square, and of how many numbers.

    Parameters
    ----------
    predicted, tokens, masked : Tensor, shape ``(n, t, d)``
    """
    changed = tokens != masked
    count = changed.sum()
    square = torch.where(changed, (predicted - tokens) ** 2, 0.0).sum() / count.clamp_min(1)
    return square, float(count)
