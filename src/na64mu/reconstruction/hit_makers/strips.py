"""Strips of Micromegas and GEMs: a hit is a cluster in time; the clusters of a view are counted."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from na64mu.compiled.kernel import kernel
from na64mu.detector import Detector
from na64mu.detector.readout import modules_of
from na64mu.events.batch import Jagged
from na64mu.reconstruction.hit_makers.hit_maker import HitMaker, PlaneHits, planes_of, put, register_hit_maker
from na64mu.reconstruction.strips import Clusters, gem_clusters, micromegas_clusters
from na64mu.typing import IntArray

__all__ = ("GEM_STRIPS", "MM_STRIPS", "SHARED_ERROR")

SHARED_ERROR = 2.0  # a cluster with channels of a larger one is pulled by up to a strip: its error is doubled


@kernel
def _cluster_hits(clusters, planes, offset, sigma, hits):  # type: ignore[no-untyped-def] # kernel
    """Clusters in time; one that shares channels with a larger one has no hit of its own: it counts as the larger one's."""
    n = 0
    for event in range(len(clusters.offsets) - 1):
        for i in range(clusters.offsets[event], clusters.offsets[event + 1]):
            p = planes[clusters.plane[i]]
            if p >= 0 and clusters.in_time[i]:
                error = sigma[p] * (SHARED_ERROR if clusters.shared[i] > 0.0 else 1.0)
                n = put(hits, n, p, clusters.position[i] + offset[p], error, clusters.lender[i])
        hits.offsets[event + 1] = n
    return n


def _hits(kind: str, clusters: Clusters, detector: Detector) -> PlaneHits:
    planes = planes_of(detector, kind)
    number = np.full(2 * max((p.number for _, p in planes), default=0), -1, dtype=np.int64)
    offset, sigma = np.zeros((2, 1 + max((i for i, _ in planes), default=-1)))
    for i, p in planes:
        number[2 * (p.number - 1) + p.view], offset[i], sigma[i] = i, p.offset, p.sigma
    hits = PlaneHits.empty(len(clusters.offsets) - 1, len(clusters.position))
    return hits.first(_cluster_hits(clusters, number, offset, sigma, hits))


@kernel
def _count_clusters(clusters, views, counts):  # type: ignore[no-untyped-def] # kernel
    """Clusters in time per module and event, the larger of the two views; `views` is scratch of shape (2 * n_modules,)."""
    for e in range(counts.shape[1]):
        views[:] = 0
        for i in range(clusters.offsets[e], clusters.offsets[e + 1]):
            views[clusters.plane[i]] += clusters.in_time[i]
        for m in range(len(counts)):
            counts[m, e] = max(views[2 * m], views[2 * m + 1])


def _count(kind: str, clusters: Clusters, detector: Detector) -> dict[str, IntArray]:
    modules = modules_of(detector, kind)
    n_modules = max((module.number for module in modules), default=0)
    counts = np.empty((n_modules, len(clusters.offsets) - 1), dtype=np.int64)
    _count_clusters(clusters, np.empty(2 * n_modules, dtype=np.int64), counts)
    return {module.name: counts[module.number - 1] for module in modules}


def _strips(kind: str, channel: str, find: Callable[[Jagged, Detector], Clusters]) -> HitMaker:
    return HitMaker(("module", "view", channel, "q0", "q1", "q2"), find, partial(_hits, kind), partial(_count, kind))


MM_STRIPS = register_hit_maker("mm", _strips("mm", "channel", micromegas_clusters))
GEM_STRIPS = register_hit_maker("gem", _strips("gem", "strip", gem_clusters))
