"""Where training and evaluation data come from. Nothing here ships data."""
