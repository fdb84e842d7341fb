"""Encoders: one interface, a catalog of names, and the towers behind them."""

from densezero.encoders.catalog import DEFAULT_MODEL, MODELS, ModelEntry, find_model, load_encoder

__all__ = ["DEFAULT_MODEL", "MODELS", "ModelEntry", "find_model", "load_encoder"]
