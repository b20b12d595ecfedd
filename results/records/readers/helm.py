"""HELM: `per_instance_stats.json` of a run folder, with `run_spec.json` and `instances.json` beside it.

Copies of an instance that HELM perturbed (typos, dialect) are not more items: each perturbation is a metric
of its own, `exact_match,typos`, apart from the originals. Trials of one instance are samples of one item.

HELM drops values that are not numbers, so a metric that an instance lacks on one side is a row without a
number. Its token figures come from tokenising the texts again, so they do not count generated tokens.
"""

from __future__ import annotations

from pathlib import Path

from results.files import parse_json
from results.records.log import Log, document, known_direction, metric_by_name, number, text_hash
from results.records.readers.several import newest_of_one_model
from results.records.rows import Record, Rows
from results.schema import JsonObject

HARNESS = "HELM"
FILE = "per_instance_stats.json"
BOOKKEEPING = ("num_", "inference_", "training_", "batch_size", "max_", "finish_reason", "prompt_truncated")
"""Prefixes of figures that are not scores."""
RETOKENISED = "its token figures come from tokenising the texts again"


def log_files(path: Path) -> list[Path]:
    """Run folders of HELM at `path`, or the file itself."""
    if path.is_file():
        return [path] if path.name == FILE else []
    return sorted(file for file in path.rglob(FILE) if file.is_file())


def read(path: Path) -> list[Log]:
    """One log per run folder. ResultsError if they are of several models."""
    return newest_of_one_model(
        path, [(_read(file), str(file.parent.parent.name)) for file in log_files(path)]
    )


def _read(file: Path) -> Log:
    rows = document(file)
    spec = _beside(file, "run_spec.json")
    name = str(spec.get("name") if isinstance(spec, dict) and spec.get("name") else file.parent.name)
    adapter = spec.get("adapter_spec") if isinstance(spec, dict) else None
    model = str((adapter or {}).get("model") or _model_in(name) or file.parent.name)
    texts = {
        str(one.get("id")): one for one in _beside(file, "instances.json") or [] if isinstance(one, dict)
    }
    records: dict[tuple[str, int], Record] = {}
    names: dict[str, None] = {}
    for row in rows:
        item, sample = str(row["instance_id"]), int(row.get("train_trial_index") or 0)
        copy = row.get("perturbation")
        record = records.get((item, sample))
        if record is None:
            prompt, target = _hashes(texts.get(item))
            record = records[item, sample] = Record(item, {}, sample, prompt_hash=prompt, target_hash=target)
        for stat in row["stats"]:
            plain = str(stat["name"]["name"])
            if plain.startswith(BOOKKEEPING):
                continue
            metric = f"{plain},{copy['name']}" if copy else plain
            names[metric] = None
            record.scores[metric] = number(stat.get("mean"))
    for record in records.values():
        # HELM drops values that are not numbers.
        record.scores.update({name: None for name in names if "," not in name and name not in record.scores})
    # HELM's files begin with figures that are not scores; a known score is primary.
    ordered = sorted(names, key=lambda one: (known_direction(one) == "unknown", "," in one))
    metrics = {metric: metric_by_name(metric) for metric in ordered}
    return Log(
        harness=HARNESS, task=_task(name), model=model, path=file, metrics=metrics,
        rows=Rows.of(records.values(), metrics),
        tokens_not_comparable=RETOKENISED, paired_by="instance id",
    )  # fmt: skip


def _beside(file: Path, name: str) -> JsonObject | list[JsonObject] | None:
    try:
        found = parse_json((file.parent / name).read_bytes())
    except (OSError, ValueError):
        return None
    return found if isinstance(found, (dict, list)) else None


def _task(name: str) -> str:
    """A run's name without its model: `mmlu:subject=anatomy,model=x` is `mmlu:subject=anatomy`."""
    head, _, options = name.partition(":")
    kept = [
        part for part in options.split(",") if part and not part.startswith(("model=", "model_deployment="))
    ]
    return f"{head}:{','.join(kept)}" if kept else head


def _model_in(name: str) -> str | None:
    found = [
        part.removeprefix("model=") for part in name.partition(":")[2].split(",") if part.startswith("model=")
    ]
    return found[0] if found else None


def _hashes(instance: JsonObject | None) -> tuple[str | None, str | None]:
    """Hashes of the input's text and of the right answer."""
    if instance is None:
        return None, None
    text = (instance.get("input") or {}).get("text")
    right = [
        str((one.get("output") or {}).get("text"))
        for one in instance.get("references") or []
        if "correct" in (one.get("tags") or [])
    ]
    prompt = None if text is None else text_hash(str(text))
    return prompt, text_hash(right[0] if len(right) == 1 else str(right))
