"""Simulate a backfill, object by object, under the quotas of an AWS account."""

import heapq
from typing import NamedTuple

import numpy as np

from benchmarks.pipeline import cost

CHUNK = 100_000
"""Objects whose times are drawn at once; memory does not grow with their number."""
SPREAD = 0.7
"""Of the logarithm of images' sizes: a third of them differ from the median by a factor over 2."""
CHILD_STARTS_A_SECOND = 6000
"""Of Express workflows: https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html"""
LISTED_A_SECOND = 5000
"""Keys: five calls of ListObjectsV2, each of 1000."""
PASSED_OVER_SECONDS = cost.FIND_SECONDS + 0.1


class Outcome(NamedTuple):
    """How a backfill went."""

    hours: float
    dollars: float
    done: int
    passed_over: int
    failed: int
    at_once: int
    """Objects that the quotas let be worked on at the same time."""


def simulate(
    objects: int,
    seconds: cost.Seconds,
    *,
    at_once: int,
    concurrency: int,
    broken: float,
    done_before: float,
    seed: int = 0,
) -> Outcome:
    """Let objects take their turns.

    Parameters
    ----------
    objects : int
    seconds : Seconds
        Of an image of the median size.
    at_once : int
        The backfill's MaxConcurrency.
    concurrency : int
        Lambda's quota; an object takes one function for each K at its widest.
    broken : float
        Share of the objects that are refused by Sample.
    done_before : float
        Share that has its result already.
    """
    rng = np.random.default_rng(seed)
    at_once = max(1, min(at_once, concurrency // cost.KS))
    free = [0.0] * at_once
    done = passed_over = failed = 0
    dollars = end = 0.0
    for first in range(0, objects, CHUNK):
        count = min(CHUNK, objects - first)
        sizes = np.exp(SPREAD * rng.standard_normal(count))
        kinds = rng.random(count)
        passing, breaking = kinds < done_before, kinds >= 1 - broken * (1 - done_before)
        alone = cost.FIND_SECONDS + cost.MACHINE_SECONDS
        taken = alone + seconds.score + sizes * (seconds.sample + seconds.render)
        taken[breaking] = alone + seconds.sample
        taken[passing] = PASSED_OVER_SECONDS
        passed_over += int(passing.sum())
        failed += int(breaking.sum())
        done += count - int(passing.sum()) - int(breaking.sum())
        dollars += _dollars(seconds, float(sizes[~passing & ~breaking].sum()), count)
        # No sooner than it is listed, and than its child may be started.
        slowest = min(LISTED_A_SECOND, CHILD_STARTS_A_SECOND)
        for index, duration in enumerate(taken):
            begin = max(free[0], (first + index) / slowest)
            end = max(end, begin + float(duration))
            heapq.heapreplace(free, begin + float(duration))
    return Outcome(end / 3600, dollars, done, passed_over, failed, at_once)


def _dollars(seconds: cost.Seconds, sizes: float, objects: int) -> float:
    """Price so many objects, of which those that are quantized have these sizes together."""
    # What each object costs, if only that it is looked up.
    found = cost.SMALL_GB * cost.FIND_SECONDS * cost.GB_SECOND["arm64"] + cost.INVOCATION
    express = PASSED_OVER_SECONDS * cost.EXPRESS_MB / 1024 * cost.EXPRESS_GB_SECOND
    looked_up = cost.TRANSITION + cost.EXPRESS_REQUEST + express + found + 2 * cost.GET
    nothing = cost.Seconds(0, 0, 0, 0)
    of_scores = cost.Seconds(0, seconds.score, seconds.score_each, 0)
    fixed = cost.price(of_scores, cost.BACKFILL).total / 1000 - looked_up
    of_a_size = (
        cost.price(seconds._replace(score=0, score_each=0), cost.BACKFILL).total
        - cost.price(nothing, cost.BACKFILL).total
    ) / 1000
    return objects * looked_up + sizes * of_a_size + fixed * _count(sizes)


def _count(sizes: float) -> float:
    """Return how many objects have these sizes together, on average."""
    return sizes / float(np.exp(SPREAD**2 / 2))
