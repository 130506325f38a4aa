"""The key exchange of NTS as a service: cookie keys on disk, certificates, handshakes, the cluster's key channel."""
