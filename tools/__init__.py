"""Scripts for those who work on the product: the generated pages and the demonstration."""
