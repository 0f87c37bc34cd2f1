"""Published attacks, one module each, written as an attacker would write them: against answers alone."""
