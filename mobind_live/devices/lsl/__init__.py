"""The Lab Streaming Layer, in and out."""
