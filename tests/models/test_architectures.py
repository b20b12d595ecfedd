"""Random models of many architectures: batched text is single text is `generate`'s; adapters train and load.

The table in docs/models.md is what these tests found. S2D_UPDATE_DOCS=1 writes it anew; else it must be so.
"""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest
import torch
from architectures import NAMES, WRAPPERS, save
from test_hf_engine import generated, ids_of
from tiny_models import questions, request

from distill.training.adapter import require_trainable
from distill.training.child import train
from distill.training.job import TrainingJob
from distill.training.settings import training_settings
from harness.engines.hf.engine import HuggingFaceEngine
from harness.engines.hf.guard import Way
from harness.engines.hf.load import auto_class, load_config
from harness.engines.hf.prefixes import MIN_SHARED
from harness.errors import UserError
from harness.models.source import ModelSource
from harness.types import Request, user

pytestmark = pytest.mark.slow

DOCS = Path(__file__).resolve().parents[2] / "docs" / "models.md"
BEGIN, END = "<!-- the table: tests/models/test_architectures.py -->", "<!-- the end of the table -->"
ROWS: dict[str, str] = {}
"""What was found, by architecture."""

BATCHED = {
    Way.SHARED: "yes, beginnings shared",
    Way.PADDED: "yes",
    Way.ALONE: "no, row by row",
}
SETTINGS = {
    "epochs": 1,
    "max_steps": 3,
    "batch": 4,
    "learning_rate": 0.02,
    "rank": 4,
    "warmup": 0,
    "validation": 0,
}


def asked_of(engine: HuggingFaceEngine, adapter: str | None = None) -> list[Request]:
    """Rows of unlike length, some that begin alike, and two that are equal."""
    prompts = [engine.prompt_ids([user(text)]) for text in questions(5)]
    start = engine.prompt_ids([user(" ".join(questions(9)))])[: 2 * MIN_SHARED]
    draw = random.Random(3)
    prompts += [(*start, *draw.choices(range(40, 300), k=length)) for length in (2, 11, 30)]
    return [request(prompt, max_tokens=12, adapter=adapter) for prompt in [*prompts, prompts[-1]]]


def trained(source: ModelSource, engine: HuggingFaceEngine, output: Path) -> Path:
    """An adapter as distillation trains it, in this process; three steps."""
    settings = training_settings(SETTINGS)
    require_trainable(source, settings)
    prompts = [list(engine.prompt_ids([user(text)])) for text in questions(12)]
    targets = [list(engine.target_ids("yes")) for _ in prompts]
    job = TrainingJob(
        "arch", source.location, "float32", str(output), prompts, targets, seed=0, settings=settings
    )
    train(job)
    return output


def by_peft(source: ModelSource, adapter: Path, asked: list[Request]) -> list[list[int]]:
    from peft import PeftModel

    config = load_config(source)
    base = auto_class(config).from_pretrained(source.location, dtype=torch.float32)
    model = PeftModel.from_pretrained(base, str(adapter)).eval()
    found = []
    for each in asked:
        ids = torch.tensor([each.prompt_ids])
        out = model.generate(
            input_ids=ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=12
        )
        found.append(out[0, ids.shape[1] :].tolist())
    return found


def layers_of(adapter: Path) -> str:
    """What an adapter is on, by the last part of the layers' names."""
    from safetensors import safe_open

    with safe_open(adapter / "adapter_model.safetensors", framework="pt") as tensors:
        names = [name.split(".lora_")[0] for name in tensors.keys()]  # noqa: SIM118
    leaves = {name.replace(".base_layer", "").rpartition(".")[2] for name in names}
    assert not any(
        "vision" in name or leaf in ("router", "gate") for name, leaf in zip(names, leaves, strict=False)
    )
    return ", ".join(sorted(leaves))


@pytest.mark.parametrize("name", [*NAMES, *WRAPPERS])
def test_batched_text_is_single_text(tmp_path: Path, name: str) -> None:
    source = ModelSource(name, str(save(name, tmp_path / "model")), dtype="float32")
    engine = HuggingFaceEngine.load(source, {"device": "cpu"})
    way, attention = engine._verdict.way, engine.facts()["attention"]
    asked = asked_of(engine)
    together = ids_of(engine.generate(asked))
    assert together == [ids_of(engine.generate([each]))[0] for each in asked], "single"
    plain = [generated(engine._model, each.prompt_ids, 12) for each in asked]
    assert together == plain, "generate"
    how = "" if attention.startswith("s2d") else f"attention {attention}"
    try:
        adapter = trained(source, engine, tmp_path / "adapter")
    except UserError as error:
        assert "\n" not in str(error) and "no adapter can be put on" in str(error)
        distils = "no"
    else:
        engine.add_adapter("own", adapter)
        asked = asked_of(engine, "own")
        tuned = ids_of(engine.generate(asked))
        assert tuned == by_peft(source, adapter, asked), "PEFT"
        assert ids_of(engine.generate(asked_of(engine))) == together, "the model itself stays"
        distils = f"yes: {layers_of(adapter)}"
    ROWS[name] = f"| {name} | {BATCHED[way]} | {distils} | {how} |"


def test_the_table_in_the_docs_is_what_was_found() -> None:
    if len(ROWS) < len(NAMES) + len(WRAPPERS):
        pytest.skip("only where all architectures were tried, and all went well")
    head = ["| architecture | batched | distils, with an adapter on | |", "| --- | --- | --- | --- |"]
    table = "\n".join([*head, *(ROWS[name] for name in sorted(ROWS))])
    before, _, rest = DOCS.read_text().partition(BEGIN)
    after = rest.partition(END)[2]
    text = f"{before}{BEGIN}\n\n{table}\n\n{END}{after}"
    if os.environ.get("S2D_UPDATE_DOCS"):
        DOCS.write_text(text)
    assert DOCS.read_text() == text, "S2D_UPDATE_DOCS=1 writes the table"


def test_there_are_forty_and_more() -> None:
    assert len({*NAMES, *WRAPPERS}) >= 40
