"""The output layer gets the last positions of a batch in one piece, also beside adapters."""

from __future__ import annotations

import torch

from harness.engines.hf.engine import HuggingFaceEngine
from harness.engines.hf.linear import multiply_at_once
from harness.models.source import ModelSource


def test_a_slice_reaches_the_output_layer_in_one_piece() -> None:
    torch.manual_seed(0)
    head = torch.nn.Linear(16, 50, bias=False)
    hidden = torch.randn(4, 3, 16)
    seen: list[torch.Tensor] = []
    expected = head(hidden[:, -1:])
    multiply_at_once(head)
    head.register_forward_pre_hook(lambda _module, given: seen.append(given[0]))
    found = head(hidden[:, -1:])
    assert not hidden[:, -1:].is_contiguous() and seen[0].is_contiguous()
    assert torch.allclose(found, expected)


def test_a_model_without_output_layer_is_left_alone() -> None:
    multiply_at_once(None)


def test_the_engine_uses_it_on_a_cpu(tiny_source: ModelSource) -> None:
    engine = HuggingFaceEngine.load(tiny_source, {"device": "cpu"})
    head = engine._model.get_output_embeddings()
    with torch.inference_mode():
        seen: list[torch.Tensor] = []
        head.register_forward_pre_hook(lambda _module, given: seen.append(given[0]))
        ids = torch.tensor([list(engine.text_ids("one two three"))] * 2)
        engine._model(input_ids=ids, logits_to_keep=1)
    assert seen[0].is_contiguous() and seen[0].shape[:2] == (2, 1)
