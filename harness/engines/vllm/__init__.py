"""The engine on vLLM's offline interface."""
