"""What the tools call, and a notebook can call too."""
