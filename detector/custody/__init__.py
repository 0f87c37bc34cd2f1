"""Evidence bundles: what an incident rests on in one sealed file, and checking that nobody changed it since."""
