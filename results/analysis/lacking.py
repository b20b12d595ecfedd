"""Why a run is incomplete although it ended well: a script should check this before it trusts all rows."""

from __future__ import annotations

from results.analysis.cut import percent
from results.records.roles import missing_seeds
from results.schema import Leaderboard, Manifest


def lacking(manifest: Manifest, leaderboard: Leaderboard) -> list[str]:
    """Phrases, one per reason: the run is not finished, a variant was not distilled on a task, or so many of
    its texts were cut that the row is marked. Empty if the run is complete."""
    found = []
    if manifest.get("status") not in (None, "finished"):
        found.append(f"the run is {manifest['status']}, not finished")
    for (task, variant), seeds in missing_seeds(manifest).items():
        which = "" if len(seeds) == 1 else f" (seeds {', '.join(map(str, sorted(seeds)))})"
        found.append(f"{task} {variant}: not distilled{which}")
    for row in leaderboard["rows"]:
        if row["primary"] and (cut := row.get("cut")):
            found.append(f"{row['task']} {row['variant']}: {percent(cut['share'])} cut")
    return found
