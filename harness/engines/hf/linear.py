"""Matrix products of a few rows on a CPU, with the operands in the faster order.

A decode step multiplies one row per prompt by each weight matrix. On x86 CPUs in float32, torch's product for
9 to 56 rows runs at a third to a half of the speed of the same product with the operands exchanged: y = x W^T
computed as (W x^T)^T. Measured on 2 cores, 576 x 1536: 20 rows 1.11 against 0.53 ms, 32 rows 1.26 against
0.52; 8 rows and 64 rows alike. The arithmetic is the same, nothing is approximated.
"""

from __future__ import annotations

from types import MethodType

import torch

FEWEST_ROWS = 9
MOST_ROWS = 56


def exchange_operands(model: torch.nn.Module) -> None:
    """Lets the float32 linear layers of a model on the CPU choose the faster order by row count."""
    for module in model.modules():
        if type(module) is not torch.nn.Linear or module.bias is not None:
            continue
        # Quantised layers have no such weight, or have their own forward.
        weight = getattr(module, "weight", None)
        if weight is not None and weight.dtype == torch.float32 and "forward" not in vars(module):
            module.forward = MethodType(_forward, module)


def _forward(self: torch.nn.Linear, input: torch.Tensor) -> torch.Tensor:
    """`input` (..., in) -> (..., out). The parameter has torch's name because callers may pass it by name."""
    rows = input.numel() // input.shape[-1]
    if not FEWEST_ROWS <= rows <= MOST_ROWS:
        return torch.nn.functional.linear(input, self.weight)
    product = self.weight @ input.reshape(rows, -1).T
    return product.T.contiguous().view(*input.shape[:-1], -1)
