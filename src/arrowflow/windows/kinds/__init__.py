"""Kinds of windows, one file each: a kind turns event times into panes."""
