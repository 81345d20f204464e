"""The hosts as they are: the way in, facts, and whether they can be deployed to."""
