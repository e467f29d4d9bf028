"""Images from files: what networks are trained with. Nothing of streams is known here."""
