"""The signed package source: exactly the Debian packages that hosts need, made once, verified on both ends."""
