"""What Prometheus is told of a station: names, helps, and where each figure is read."""
