"""dedup for datatrove: one step that lets pass what stays.

    LocalPipelineExecutor([JsonlReader("in/"), DedupStep(), JsonlWriter("out/")], tasks=1).run()

All documents must reach the same task: copies in two tasks would not be seen.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from datatrove.pipeline.base import PipelineStep

from dedup.errors import SettingsError
from dedup.pipeline import find_duplicates
from dedup.settings import Settings

if TYPE_CHECKING:
    from datatrove.data import Document as Record
    from datatrove.pipeline.writers.disk_base import DiskWriter


class DedupStep(PipelineStep):  # type: ignore[misc]
    """Passes on the documents that stay, unchanged and in their order. Holds all of them in memory.

    Args:
        settings: what counts as a copy; the defaults of `dedup.Settings` if None.
        exclusion_writer: gets each dropped document; what was kept for it is in its metadata, as ``dedup``.
        threads: threads of the native kernel, all processors if None.
    """

    type = "🫂 - DEDUP"
    name = "🔎 dedup"

    def __init__(
        self,
        settings: Settings | None = None,
        exclusion_writer: DiskWriter | None = None,
        threads: int | None = None,
    ) -> None:
        super().__init__()
        self.settings = settings
        self.exclusion_writer = exclusion_writer
        self.threads = threads

    def run(self, data: Iterable[Record], rank: int = 0, world_size: int = 1) -> Iterator[Record]:
        """Read everything, find the copies, pass on what stays.

        Raises:
            SettingsError: the documents are spread over several tasks.
        """
        if world_size != 1:
            raise SettingsError(
                f"DedupStep runs in {world_size} tasks, and would miss copies between them\nRun it with tasks=1"
            )
        records: list[Record] = list(data or ())
        with self.track_time(unit="corpus"):
            # By position: ids of datatrove may occur twice.
            result = find_duplicates((record.text for record in records), self.settings, threads=self.threads)
            dropped = {int(drop.id): (cluster, drop) for cluster in result.clusters for drop in cluster.drops}
        self.stat_update("total", value=len(records), unit="document")
        self.stat_update("dropped", value=len(dropped), unit="document")
        self.stat_update("forwarded", value=len(records) - len(dropped), unit="document")
        for row in np.flatnonzero(result.keep_mask()).tolist():
            yield records[row]
        if self.exclusion_writer is not None:
            with self.exclusion_writer as writer:
                for row, (cluster, drop) in sorted(dropped.items()):
                    told: dict[str, Any] = {
                        "kept_id": records[int(cluster.keep.id)].id,
                        "relation": drop.relation.value,
                        "jaccard": drop.jaccard,
                        "containment": drop.containment,
                    }
                    records[row].metadata["dedup"] = told
                    writer.write(records[row], rank)
