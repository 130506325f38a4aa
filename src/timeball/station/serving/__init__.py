"""What answers datagrams: the compiled loops, the calls of libc that they make, and what they count."""
