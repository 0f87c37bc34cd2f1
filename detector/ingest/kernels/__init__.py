"""Compiled inner loops over bytes; each works on a whole block of records and lets other threads run."""
