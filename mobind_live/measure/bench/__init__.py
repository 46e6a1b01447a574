"""Measuring the answers on simulated scenes whose truth is known: ``mobind-live bench``."""
