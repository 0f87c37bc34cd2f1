"""The batch jobs that string the stages together."""
