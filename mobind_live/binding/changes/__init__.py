"""Whether what is believed still holds: a file for each way in which it may not, ``watch.py`` over all."""
