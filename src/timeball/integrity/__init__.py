"""Is what we serve still true: the output's residual, the host counter's line, the bound against UTC."""
