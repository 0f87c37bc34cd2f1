"""Queries in, windows out: one module a family of features."""
