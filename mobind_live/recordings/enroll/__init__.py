"""An action by example, for ``mobind-live enroll``: a stretch of a recording becomes a label at once."""
