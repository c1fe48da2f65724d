"""Why a result has as many colors as it has, in one sentence."""

from quantization.contract import Result, Score
from quantization.options import LARGEST_K_BESIDE_TRANSPARENCY

CLOSE, ACCENTS_COUNT = 1.05, 3
"""Both as in ChooseK (a test compares them). CLOSE: drift within this factor of the least counts as
equally close. ACCENTS_COUNT: an accent's error is divided by this before it is compared."""


def why(result: Result) -> str:
    """Say what chose K, by which figures, and how many colors there were to begin with."""
    colors = result.source.colors
    more = f" The image itself has {colors}." if colors and colors > result.k else ""
    return _reason(result) + more


def _reason(result: Result) -> str:
    options, k = result.options, result.k
    if options.palette:
        return f"{amount(k)}: the palette that was given. Nothing was fitted."
    tried = [score.k for score in result.scores]
    if result.source.again:
        return f"{amount(k)}: taken by hand from the palettes of {min(tried)} to {max(tried)}."
    if max(tried) < options.k_min:
        if k == LARGEST_K_BESIDE_TRANSPARENCY and result.scores[-1].inertia:
            return f"{amount(k)}: beside transparency a file has room for no more."
        asked = "" if options.k_min < options.k_max else f" of the {options.k_min} asked for"
        has = result.source.colors or k
        beside = " beside those given" if has < k else ""
        kept = "it is" if has == 1 else "all are"
        return f"The image has only {amount(has)}{asked}; {kept} kept{beside}, and nothing changes."
    if options.k_min == options.k_max:
        exact = result.source.colors == k and not result.scores[-1].inertia
        alike = " and as the image has; nothing changes" if exact else ""
        mean = "" if k > 1 or exact else ", the image's mean or the color of half of it"
        return f"Exactly {amount(k)}: as many as were asked for{mean}{alike}."
    fitted = {score.k: score for score in result.scores if score.palette}
    if len(fitted) == 1 < len(tried):
        return f"{amount(k)}: the only K from {min(tried)} to {max(tried)} that could be fitted."
    chosen = {"silhouette": _by_silhouette, "guarded": _by_error}[options.criterion]
    all_there = result.source.colors == k and not fitted[k].inertia
    alike = " They are all that the image has, so nothing changes." if all_there else ""
    return chosen(result, fitted) + alike


def _by_silhouette(result: Result, fitted: dict[int, Score]) -> str:
    k, options = result.k, result.options
    chosen = fitted[k].silhouette
    if chosen is None:
        return f"{amount(k)}: no silhouette could be measured, and this is the smallest K tried."
    best = (
        f"{amount(k)} make the clearest groups: of {_range(fitted)} the highest silhouette,"
        f" {chosen:.2f}"
    )
    match result.silhouette_at:
        case "peak":
            return f"{best}, and a clear peak."
        case "edge":
            if k not in (options.k_min, options.k_max):
                return f"{best}. Fewer would be 1 color, of which there is no silhouette."
            if k == len(options.keep):
                return f"{best}. Fewer would not be all that have to be kept."
            beyond = "fewer" if k == options.k_min else "more"
            return (
                f"{best}. But that is the edge of what was tried: {beyond} might be better still."
            )
    return f"{best}."


def _by_error(result: Result, fitted: dict[int, Score]) -> str:
    k, budget = result.k, result.options.error_budget
    drifts = {k: _drift(score) for k, score in fitted.items()}
    closest = min(drifts, key=lambda k: drifts[k])
    limit = max(budget, CLOSE * drifts[closest])
    if k != min(k for k, drift in drifts.items() if drift <= limit):
        return (
            f"The image is made of {amount(k)} with shades: they make clear groups, silhouette"
            f" {fitted[k].silhouette:.2f}, so more would only split one."
        )
    error = fitted[k].error or 0.0
    vivid = drifts[k] > error
    ending = f". Drift counts small vivid colors; the mean error is {error:.2f}." if vivid else "."
    if drifts[k] <= budget:
        measure = "drift" if vivid else "mean error"
        smallest = ", and the fewest allowed" if k == result.options.k_min else ""
        return (
            f"{amount(k)} are the fewest that keep within the budget of {budget:g}: {measure}"
            f" {drifts[k]:.2f}{smallest}{ending}"
        )
    none = f"No K from {_range(fitted)} keeps within the budget of {budget:g}. "
    if k == closest:
        return f"{none}{amount(k)} come closest: drift {drifts[k]:.2f}{ending}"
    fewest = (
        f"{amount(k)} are the fewest that come about as close as any: drift {drifts[k]:.2f}, where"
        f" {closest} reach {drifts[closest]:.2f}"
    )
    if drifts[closest] <= budget:
        return f"{fewest}, within the budget of {budget:g}{ending}"
    return f"{none}{fewest}{ending}"


def _drift(score: Score) -> float:
    """Return what the state machine holds against the budget."""
    return max(score.error or 0.0, (score.accent_error or 0.0) / ACCENTS_COUNT)


def _range(fitted: dict[int, Score]) -> str:
    return f"{min(fitted)} to {max(fitted)}"


def change(before: int, after: int) -> str:
    """Say by how many per cent a size has changed; what is left is never told as nothing."""
    ratio = after / before - 1
    told = f"{ratio:+.0%}" if ratio > -0.995 else f"{max(ratio, -0.999):+.1%}"
    return told.replace("-", "\N{MINUS SIGN}")


def amount(k: int) -> str:
    """Say how many colors there are."""
    return "1 color" if k == 1 else f"{k} colors"
