"""One module an item of the evidence checklist."""
