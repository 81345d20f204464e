"""Ratios in one run on one machine: `./bsw bench`."""
