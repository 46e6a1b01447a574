"""Other ways to the same answers, for comparison on the same pairs."""
