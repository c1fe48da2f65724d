"""The way of the script that the service grew from: the baseline of the benchmarks.

    python -m benchmarks.baseline IMAGE OUT.png                 the whole of it
    python -m benchmarks.baseline IMAGE OUT.png PALETTE.npy     only from the palette on

OpenCV decodes; 1000 random pixels are clustered with scikit-learn for K = 8..32, ten starts each;
the silhouette chooses K; KMeans.predict labels every pixel; the PNG is truecolor.
"""

import sys

import cv2
import numpy as np
from sklearn.cluster import KMeans
from sklearn.metrics import silhouette_score

SAMPLE_SIZE = 1000
KS = range(8, 33)


def choose(pixels: np.ndarray) -> KMeans:
    """Fit every K to a sample and return the fit with the highest silhouette."""
    np.random.seed(0)
    sample = pixels[np.random.choice(len(pixels), SAMPLE_SIZE, replace=False)]
    fits = [KMeans(n_clusters=k, n_init=10, random_state=0).fit(sample) for k in KS]
    return max(fits, key=lambda fit: silhouette_score(sample, fit.labels_))


def given(palette: np.ndarray) -> KMeans:
    """Return a fit with given RGB centroids."""
    centroids = np.ascontiguousarray(palette[:, ::-1], dtype=np.float64)
    fit = KMeans(n_clusters=len(palette), init=centroids, n_init=1, max_iter=1).fit(centroids)
    fit.cluster_centers_ = centroids
    return fit


def main() -> None:
    """Quantize one image."""
    source, target, *palette = sys.argv[1:]
    image = np.asarray(cv2.imread(source))
    pixels = image.reshape(-1, 3).astype(np.float64)
    fit = given(np.load(palette[0])) if palette else choose(pixels)
    labels = fit.predict(pixels)
    colors = np.rint(fit.cluster_centers_).astype(np.uint8)
    cv2.imwrite(target, colors[labels].reshape(image.shape))


if __name__ == "__main__":
    main()
