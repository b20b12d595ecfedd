"""A checkpoint in other hands: transformers with PEFT, lm-eval and vLLM say what our engine says.

The commands are those of the checkpoint's own card, with its folder put in. By default the checkpoint is a
random adapter on a tiny model; a real one is named by the environment:

    S2D_CHECKPOINT=FOLDER S2D_BASE=FOLDER_OF_THE_BASE_MODEL pytest tests/distill/test_outside_loaders.py
"""

from __future__ import annotations

import contextlib
import io
import itertools
import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from drawn_fixtures import facts_of, some_drawn
from tiny_models import questions, request, save_adapter, save_model

from distill.papers.cards import KNOWN, write_papers
from distill.papers.examples import example_rows, write_examples
from harness.engines.hf.engine import HuggingFaceEngine
from harness.models.source import ModelSource
from harness.types import Completion, user

PROMPTS = 20
MOST = 64
"""New tokens, as the card's code says."""
TASK = f"""task: outside
custom_dataset: !function data.load
output_type: generate_until
test_split: test
doc_to_text: "{{{{prompt}}}}"
doc_to_target: "{{{{number}}}}"
generation_kwargs: {{until: ["<|no such stop|>"], do_sample: false, max_gen_toks: {MOST}}}
metric_list:
  - metric: exact_match
    aggregation: mean
    higher_is_better: true
"""
DATA = '''"""The prompts in prompts.json."""

import json
from pathlib import Path

from datasets import Dataset


def load(**_):
    prompts = json.loads((Path(__file__).parent / "prompts.json").read_text())
    rows = [{"prompt": prompt, "number": str(number)} for number, prompt in enumerate(prompts)]
    return {"test": Dataset.from_list(rows)}
'''


@dataclass(frozen=True)
class Subject:
    """What is loaded, and what our engine said to it."""

    base: Path
    checkpoint: Path
    prompts: list[str]
    ours: list[Completion]

    @property
    def card(self) -> str:
        return (self.checkpoint / "README.md").read_text()

    def block(self, language: str, word: str) -> str:
        """The first code block of the card that holds `word`, with the folders put in."""
        blocks = re.findall(rf"^```{language}\n(.*?)^```$", self.card, re.MULTILINE | re.DOTALL)
        found = next(block for block in blocks if word in block)
        for name in (*KNOWN.values(), "FOLDER_OF_THE_BASE_MODEL"):
            found = found.replace(name, str(self.base))
        return found.replace("THIS_FOLDER", str(self.checkpoint))


@pytest.fixture(scope="module")
def subject(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Subject]:
    named = os.environ.get("S2D_CHECKPOINT")
    if named:
        base, checkpoint = Path(os.environ["S2D_BASE"]), Path(named)
        prompts = real_prompts(checkpoint)
    else:
        # Four heads of 32: vLLM's CPU attention takes no smaller ones.
        base = save_model(tmp_path_factory.mktemp("outside") / "model", hidden=128)
        checkpoint = save_adapter(tmp_path_factory.mktemp("outside") / "checkpoint", base)
        write_examples(checkpoint / "examples", example_rows("coin_flip", some_drawn(), str))
        write_papers(checkpoint, facts_of(some_drawn()))
        prompts = questions(PROMPTS)
    engine = HuggingFaceEngine.load(ModelSource("base", str(base), dtype="float32"), {"device": "cpu"})
    ids = [engine.prompt_ids([user(prompt)]) for prompt in prompts]
    plain = engine.generate([request(each, max_tokens=MOST) for each in ids])
    engine.add_adapter("distilled", checkpoint)
    ours = engine.generate([request(each, max_tokens=MOST, adapter="distilled") for each in ids])
    assert len(ours) == PROMPTS
    changed = sum(mine.text != other.text for mine, other in zip(ours, plain, strict=True))
    # Else a loader that leaves the adapter out would pass.
    assert changed >= 2, f"the adapter changes {changed} of {PROMPTS} answers: too few to prove anything"
    yield Subject(base, checkpoint, prompts, ours)
    engine.close()


def real_prompts(checkpoint: Path) -> list[str]:
    """Prompts of a checkpoint's own examples: dropped ones first, since it never saw those."""
    from pyarrow import parquet

    files = [checkpoint / "examples" / f"{name}.parquet" for name in ("dropped", "kept")]
    found = [text for file in files for text in parquet.read_table(file)["prompt"].to_pylist()]
    prompts = list(dict.fromkeys(found))[:PROMPTS]
    assert len(prompts) == PROMPTS, f"{checkpoint} has only {len(prompts)} prompts"
    return prompts


def test_plain_transformers_and_peft_give_the_same_ids(subject: Subject) -> None:
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(subject.base)
    base = AutoModelForCausalLM.from_pretrained(subject.base, dtype=torch.float32)
    model = PeftModel.from_pretrained(base, subject.checkpoint).eval()
    for prompt, done in zip(subject.prompts, subject.ours, strict=True):
        inputs = tokenizer.apply_chat_template(
            [user(prompt)], add_generation_prompt=True, return_dict=True, return_tensors="pt"
        )
        assert tuple(inputs["input_ids"][0].tolist()) == done.prompt_ids
        out = model.generate(**inputs, do_sample=False, max_new_tokens=MOST)
        assert tuple(out[0, inputs["input_ids"].shape[1] :].tolist()) == done.generated_ids


def test_the_code_on_the_card_runs_as_it_stands(subject: Subject) -> None:
    prompt, done = subject.prompts[0], subject.ours[0]
    code = subject.block("python", "PeftModel").replace('"THE PROMPT"', repr(prompt))
    # The engine ran in float32; the card leaves the dtype to the model.
    code = code.replace('dtype="auto"', 'dtype="float32"')
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        exec(compile(code, "README.md", "exec"), {})
    assert said.getvalue() == done.text + "\n"


@pytest.mark.slow
def test_lm_eval_gives_the_same_texts(subject: Subject, tmp_path: Path) -> None:
    tasks = tmp_path / "tasks"
    tasks.mkdir()
    (tasks / "outside.yaml").write_text(TASK)
    (tasks / "data.py").write_text(DATA)
    (tasks / "prompts.json").write_text(json.dumps(subject.prompts))
    command = shlex.split(subject.block("sh", "lm-eval run").replace("\\\n", " "))
    assert command[:2] == ["lm-eval", "run"]
    changed = {"--include_path": str(tasks), "--tasks": "outside"}
    arguments = [changed.get(before, word) for before, word in itertools.pairwise(command)]
    place = arguments.index("--model_args") + 1
    arguments[place] += ",dtype=float32"
    more = ["--device", "cpu", "--batch_size", "1", "--log_samples", "--output_path", str(tmp_path / "out")]
    done = subprocess.run(
        [sys.executable, "-m", "lm_eval", *arguments, *more],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "HF_HUB_OFFLINE": "1", "HF_DATASETS_CACHE": str(tmp_path / "cache")},
    )
    assert done.returncode == 0, done.stderr[-2000:]
    (file,) = (tmp_path / "out").rglob("samples_outside_*.jsonl")
    rows = sorted(map(json.loads, file.read_text().splitlines()), key=lambda row: int(row["doc"]["number"]))
    assert [row["resps"][0][0] for row in rows] == [each.text for each in subject.ours]


@pytest.mark.soak
@pytest.mark.vllm
def test_vllm_gives_the_same_ids(subject: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VLLM_CPU_KVCACHE_SPACE", "2")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    from vllm import LLM, SamplingParams
    from vllm.lora.request import LoRARequest

    command = shlex.split(subject.block("sh", "vllm serve"))
    engine: Any = LLM(
        model=str(subject.base),
        dtype="float32",
        enforce_eager=True,
        enable_lora=True,
        max_lora_rank=int(command[command.index("--max-lora-rank") + 1]),
        max_model_len=min(2048, max(len(each.prompt_ids) for each in subject.ours) + MOST),
    )
    try:
        outputs = engine.chat(
            [[user(prompt)] for prompt in subject.prompts],
            SamplingParams(temperature=0, max_tokens=MOST),
            lora_request=LoRARequest("distilled", 1, str(subject.checkpoint)),
        )
    finally:
        # Its processes would else be killed at exit, with a page of complaints.
        engine.llm_engine.engine_core.shutdown()
    pairs = list(zip(outputs, subject.ours, strict=True))
    assert all(tuple(output.prompt_token_ids) == done.prompt_ids for output, done in pairs)
    # In float32 the two differ by rounding alone, which can turn a near tie.
    equal = sum(tuple(output.outputs[0].token_ids) == done.generated_ids for output, done in pairs)
    assert equal >= PROMPTS - 1
