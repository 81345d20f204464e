"""The verbs of the toolkit."""
