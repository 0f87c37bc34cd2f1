"""Charts as inline SVG, drawn on the server: no script, no style attribute, a text alternative each."""
