"""What normal looks like for a model: learned from nights, versioned, frozen."""
