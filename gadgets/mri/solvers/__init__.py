"""Solvers of linear systems and of minimisations. They know operators and tensors, and nothing of MR."""
