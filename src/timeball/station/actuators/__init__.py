"""Whatever moves the output signal: one file a kind of actuator, one small interface (`base`)."""
