"""What ScoreK does with a summary, wherever that lies."""

from quantization.clustering import fit, silhouette_of
from quantization.color import from_hex, to_hex
from quantization.service.messages import FittedScore, ScoreRequest
from quantization.summary import Summary


def score(summary: Summary, request: ScoreRequest) -> FittedScore:
    """Fit the K that is asked for to an image's colors, and score it.

    Raises
    ------
    FloatingPointError
        See `quantization.clustering.fit`.
    """
    keep = from_hex(request.keep)
    best = fit(summary, request.k, request.space, keep)
    beyond = None if request.beyond is None else silhouette_of(summary, request.beyond, keep)
    return FittedScore(
        k=request.k,
        silhouette=best.silhouette,
        silhouette_beyond=beyond,
        inertia=best.inertia,
        error=best.error,
        accent_error=best.accent_error,
        palette=to_hex(best.palette),
    )
