"""Solvers of linear systems and of minimisations. They know operators, priors and tensors, and nothing of MR."""
