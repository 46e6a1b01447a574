"""The answers measured on scenes whose truth is known, and their probabilities fitted to it."""
