"""The reviewed side of a mapping: the person's rules, what proves them, and who accepted them."""
