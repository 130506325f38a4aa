"""Whatever yields readings: one file a kind of instrument, one small interface (`base`)."""
