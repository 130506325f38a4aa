"""What follows from recorded readings, the same for everyone: scale steps, steers, their replay."""
