"""Thin clients of the protocols that users speak: time-outs everywhere, TLS always verified."""
