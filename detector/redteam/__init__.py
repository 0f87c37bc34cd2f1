"""Real attacks and ordinary workloads against real small models, recorded as logs."""
