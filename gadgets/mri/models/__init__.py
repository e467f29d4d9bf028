"""Trained weights, NAME.safetensors, each with its model card, NAME.yaml."""
