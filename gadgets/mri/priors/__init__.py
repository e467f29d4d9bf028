"""What is known of images before they are measured: `prior.value(x)`, `prior.prox(x, step)`; one class per file."""
