"""What chronyd speaks with others on its host: samples of its SOCK reference clock, and its command protocol."""
