"""What people see: tables, lines, and the checks before a session."""
