"""NTS for NTP (RFC 8915): cookies, protected packets and the key exchange's records. Bytes in, bytes out."""
