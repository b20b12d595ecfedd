"""The embedded model: its training text, tokenizer, training and card."""
