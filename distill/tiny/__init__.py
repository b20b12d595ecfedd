"""The embedded model: the text that it is trained on, its tokenizer, its training and its card."""
