"""What the observer makes of its measurements and of our own replies."""
