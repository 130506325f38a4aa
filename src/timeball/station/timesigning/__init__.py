"""The Roughtime server's parts: its keys and clock, its batches of datagrams, its streams; and asking other servers."""
