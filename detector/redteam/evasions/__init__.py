"""How attackers hide, whatever the attack: each way by itself, or several together."""
