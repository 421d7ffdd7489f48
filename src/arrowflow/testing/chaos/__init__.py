"""Attacks on a pipeline of the user's own: in a scratch folder, on archived records, never on its lake."""
