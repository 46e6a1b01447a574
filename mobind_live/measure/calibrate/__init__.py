"""``mobind-live calibrate``: fits the constants that turn a network's evidence into probability, and shows
how far the published probabilities can be trusted."""
