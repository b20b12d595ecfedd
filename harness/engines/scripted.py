"""The `scripted` engine: completions from a Python function, for tests without a model.

`--engine scripted --engine-args script=FILE.py` imports FILE.py and calls its `respond(request, adapter)`,
which returns the text, or `(text, finish_reason)`. `adapter` is None or the training examples that
distillation stored. Ids are made from words, so counts are exact and small. Nothing here resembles a language
model.
"""

from __future__ import annotations

import importlib.util
import json
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from harness.engines.arguments import take_arguments
from harness.engines.base import AdapterInfo, Engine, ModelInfo, too_long
from harness.errors import RunError, UserError
from harness.models.source import ModelSource
from harness.types import Completion, FinishReason, Message, Request, Settings, stable_hash
from results.files import write_whole

END_ID = 0
DEFAULTS: Settings = {"script": "", "context": 100_000, "batch_rows": 64}
_LEAST = {"context": 1, "batch_rows": 1}

ADAPTER_FILE = "scripted_adapter.json"


@dataclass(frozen=True)
class ScriptedAdapter:
    """The result of a scripted distillation: prompt text -> target text."""

    examples: dict[str, str]


Script = Callable[[Request, ScriptedAdapter | None], str | tuple[str, FinishReason]]


def check_arguments(arguments: Mapping[str, Any]) -> Settings:
    """The settings of `arguments` (--engine-args) over the defaults. UserError for a missing script and
    for settings that the engine cannot run with."""
    settings = take_arguments(arguments, DEFAULTS, _LEAST)
    if not Path(str(settings["script"])).is_file():
        raise UserError(
            f"--engine-args script={settings['script']}: no such file; "
            "name a Python file with a function respond(request, adapter)"
        )
    return settings


class ScriptedEngine(Engine):
    """See the module."""

    name = "scripted"

    def __init__(
        self, script: Script, context_length: int = 100_000, batch_rows: int = 64, source: str = ""
    ) -> None:
        """`source` is the text of the script: another script is another model."""
        fingerprint = stable_hash(["scripted", source])
        super().__init__(
            ModelInfo("scripted", fingerprint, 1_000_000, "none", stable_hash("words"), context_length)
        )
        self._script = script
        self._batch_rows = batch_rows
        self._adapters: dict[str, ScriptedAdapter] = {}

    @classmethod
    def load(cls, source: ModelSource, arguments: Settings) -> ScriptedEngine:
        """Imports the script; no weights are loaded. UserError if it is missing or has no `respond`."""
        settings = check_arguments(arguments)
        path = Path(str(settings["script"]))
        module_spec = importlib.util.spec_from_file_location(f"scripted_{path.stem}", path)
        if module_spec is None or module_spec.loader is None:
            raise UserError(f"--engine-args script={path}: not a Python file; its name must end in .py")
        module = importlib.util.module_from_spec(module_spec)
        try:
            module_spec.loader.exec_module(module)
        except Exception as error:
            raise UserError(
                f"--engine-args script={path}: it raised {type(error).__name__} ({error}): fix the script"
            ) from error
        script = getattr(module, "respond", None)
        if not callable(script):
            raise UserError(f"--engine-args script={path}: it has no function respond(request, adapter)")
        return cls(script, int(settings["context"]), int(settings["batch_rows"]), path.read_text())

    def prompt_ids(self, messages: Sequence[Message], thinking: bool = False) -> tuple[int, ...]:
        words = [word for message in messages for word in (message["role"], *message["content"].split())]
        return tuple(_word_id(word) for word in ["<think>", *words] if thinking or word != "<think>")

    def target_ids(self, text: str) -> tuple[int, ...]:
        return (*(_word_id(word) for word in text.split()), END_ID)

    def text_ids(self, text: str) -> tuple[int, ...]:
        return self.target_ids(text)[:-1]

    def plan(self, requests: Sequence[Request]) -> list[list[Request]]:
        ordered = list(requests)
        size = self._batch_rows
        return [ordered[start : start + size] for start in range(0, len(ordered), size)]

    def generate(self, batch: Sequence[Request]) -> list[Completion]:
        completions = [self._complete(request) for request in batch]
        self.execution.generated_tokens += sum(done.generated_tokens for done in completions)
        self.execution.prompt_tokens += sum(done.prompt_tokens for done in completions)
        return completions

    def learn(self, lessons: Mapping[Path, Mapping[str, str]]) -> bool:
        for folder, examples in lessons.items():
            write_whole(folder / ADAPTER_FILE, json.dumps(dict(examples)))
        return True

    def _complete(self, request: Request) -> Completion:
        room = self.model.context_length - len(request.prompt_ids)
        if room <= 0:
            return Completion(
                "", "error", len(request.prompt_ids), 0, prompt_ids=request.prompt_ids,
                error=too_long(len(request.prompt_ids), self.model.context_length),
            )  # fmt: skip
        adapter = self._adapters[request.adapter] if request.adapter else None
        said = self._script(request, adapter)
        text, reason = said if isinstance(said, tuple) else (said, "stop")
        # Half a surrogate pair is not text: engines that decode ids never return one, and a store cannot hold
        # it.
        text = text.encode("utf-8", "replace").decode()
        for stop in request.sampling.stop:
            text = text.split(stop, 1)[0]
        words = text.split()
        limit = min(request.sampling.max_tokens, room)
        ids = [_word_id(word) for word in words]
        if len(ids) + 1 > limit and reason == "stop":
            ids, text, reason = ids[:limit], " ".join(words[:limit]), "length"
        elif reason == "stop":
            ids.append(END_ID)
        return Completion(
            text, reason, len(request.prompt_ids), len(ids),
            prompt_ids=request.prompt_ids, generated_ids=tuple(ids),
        )  # fmt: skip

    def add_adapter(self, name: str, folder: Path) -> AdapterInfo:
        path = folder / ADAPTER_FILE
        if not path.is_file():
            raise UserError(f"{folder}: it has no {ADAPTER_FILE}, so the scripted engine cannot use it")
        text = path.read_text()
        examples = json.loads(text)
        if not examples:
            raise RunError(f"the adapter in {folder} does not change the model: it has no examples")
        self._adapters[name] = ScriptedAdapter(examples)
        return AdapterInfo(name, stable_hash(text), 1.0, 0.0)


# Common words are cached; rare ones, kept for ever, would hold the memory around them.
@lru_cache(maxsize=1 << 10)
def _word_id(word: str) -> int:
    return 1 + zlib.crc32(word.encode()) % 50_000
