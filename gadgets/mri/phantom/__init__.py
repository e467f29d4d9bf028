"""Objects whose k-space is known in closed form, seen by coils whose sensitivities are known as well."""
