"""`s2d-bench prices`: an example of a price file, and what a price file of the user says."""

from __future__ import annotations

from pathlib import Path

from harness.errors import UserError
from results.analysis.prices import EXAMPLE, load_prices
from results.schema import JsonObject


def example() -> str:
    """A price file that works, to be written to a file and changed."""
    return EXAMPLE


def explain(path: Path | None) -> tuple[list[str], JsonObject]:
    """Lines for people and facts for scripts on a price file. ResultsError names what is wrong in it."""
    if path is None:
        raise UserError("prices: name a file to check, or give --example for one that works")
    prices = load_prices(path)
    note = prices.as_json()
    rates = note["per_million_tokens"]
    lines = [f"{path}: prices of {prices.date}, dollars for a million tokens"]
    named = {
        "prompt": rates["prompt"],
        "cached prompt": rates["cached"],
        "generated": rates["generated"],
    }
    lines += [f"  {what:<14} {rate:>12,.4f}" for what, rate in named.items()]
    train = "as FLOPs of prompt reading" if rates["train"] is None else f"{rates['train']:>12,.4f}"
    lines.append(f"  {'training':<14} {train}")
    return lines, {"prices": note}
