"""Ordinary users of a model, one module for each way of using it."""
