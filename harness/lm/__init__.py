"""The only place that talks to lm-eval: its tasks, prompts, filters and scores."""
