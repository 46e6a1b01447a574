"""The processes of a running rig: started, watched, served, and the worker that answers."""
