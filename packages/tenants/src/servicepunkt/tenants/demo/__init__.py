"""The demonstration: every process of the house on one computer, with a desk to steer it and a story to prove it."""
