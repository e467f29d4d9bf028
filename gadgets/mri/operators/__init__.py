"""Linear operators: `A(x)`, `A.H(y)`, `A.gram(x)`; one class per file."""
