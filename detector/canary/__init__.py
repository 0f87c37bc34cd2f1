"""Canaries: made-up records that only the training data and the site hold, and who came near them."""
