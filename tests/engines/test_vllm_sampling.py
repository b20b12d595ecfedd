"""Sampling on vLLM with more prompts at once than a step of the engine takes."""

from __future__ import annotations

from pathlib import Path

import pytest
from tiny_models import request
from vllm_models import open_vllm, save_vllm_model

from harness.types import Request, user

pytestmark = pytest.mark.vllm
LONGEST = 16
"""Tokens of an answer."""


def test_many_long_prompts_are_sampled_with_seeds_and_alike_in_any_number(tmp_path: Path) -> None:
    """On CPUs vLLM cannot split the prompt of a call that has a seed over two steps."""
    engine = open_vllm(save_vllm_model(tmp_path / "model"))
    try:
        width = engine.model.context_length - LONGEST

        def asked(number: int) -> Request:
            ids = engine.prompt_ids([user(f"{number} " * width)])[:width]
            return request(ids, item=str(number), seed=number, temperature=1.0, max_tokens=LONGEST)

        engine.generate([asked(0)])  # which starts vLLM
        at_once = engine._engine.vllm_config.scheduler_config.max_num_batched_tokens
        prompts = [asked(number) for number in range(2 * at_once // width + 8)]
        together = engine.generate(prompts)
        assert {done.finish_reason for done in together} <= {"stop", "length"}
        again = engine.generate(prompts[4:8])
        assert [done.generated_ids for done in again] == [done.generated_ids for done in together[4:8]]
    finally:
        engine.close()
