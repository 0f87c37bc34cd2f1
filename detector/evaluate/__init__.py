"""What the product finds on logs of which the truth is known."""
